"""Start one program, wait, and write down what it alone used.

    python -I -S starter.py USED.json CPU_S MEMORY_MB WALL_S COMMAND…

A process that is forked begins with the resident set of the one that forked it, and Linux keeps that as its maximum through `exec`. So
what is measured is started from here, a process of a few megabytes, and not from the harness. Standard library only.
"""

import json
import os
import resource
import signal
import sys
import time


def main() -> None:
    used, cpu_s, memory_mb, wall_s, *command = sys.argv[1:]
    began = time.monotonic()
    child = os.fork()
    if child == 0:
        resource.setrlimit(resource.RLIMIT_CPU, (int(cpu_s), int(cpu_s) + 5))
        resource.setrlimit(resource.RLIMIT_AS, (int(memory_mb) << 20, int(memory_mb) << 20))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        os.execv(command[0], command)
    signal.signal(signal.SIGALRM, lambda *_: os.kill(child, signal.SIGKILL))
    signal.alarm(int(wall_s))
    _, status, usage = os.wait4(child, 0)
    told = {
        "code": os.waitstatus_to_exitcode(status),
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "wall_s": time.monotonic() - began,
        "memory_mb": usage.ru_maxrss / 1024,
    }
    with open(used, "w", encoding="utf-8") as file:
        json.dump(told, file)


if __name__ == "__main__":
    main()
