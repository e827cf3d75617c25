"""Run a Python program and write down what it does beyond computing: files it writes, hosts it calls, programs it starts.

    python guard.py REPORT FOLDER[:FOLDER…] PORTS -- -m vitesse build …
    python guard.py REPORT FOLDER[:FOLDER…] PORTS -- program.py argument …

Standard library only: it also runs in the environments of other generators. One JSON object a line in REPORT, written at once,
because a program may end without running what should run at its end. A connection to anything but a loopback port of PORTS
(comma-separated, may be empty) is refused.
"""

import json
import os
import runpy
import sys

WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
CHANGES = {
    "os.mkdir": (0,),
    "os.rename": (0, 1),
    "os.remove": (0,),
    "os.rmdir": (0,),
    "os.symlink": (1,),
    "os.link": (1,),
    "os.chmod": (0,),
    "os.truncate": (0,),
}
STARTS = {"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "os.forkpty", "os.startfile"}
CALLS = {"socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "socket.bind"}
SECRET = ("/etc/passwd", "/etc/shadow", "/etc/hosts", "/proc/self/environ")


def main() -> None:
    report, folders, ports, mark, *command = sys.argv[1:]
    assert mark == "--"
    file = os.open(report, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    watch(file, [os.path.realpath(folder) for folder in folders.split(":")], {int(p) for p in ports.split(",") if p})
    if command[0] == "-m":
        sys.argv = command[1:]
        runpy.run_module(command[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = command
        sys.path.insert(0, os.path.dirname(os.path.abspath(command[0])))
        runpy.run_path(command[0], run_name="__main__")


def watch(file: int, folders: list, ports: set) -> None:
    """From here on everything is written down. There is no way to take the hook away again."""
    busy = []

    def say(kind: str, what: object) -> None:
        os.write(file, (json.dumps({"kind": kind, "what": str(what)[:300]}) + "\n").encode())

    def is_inside(path: object) -> bool:
        if isinstance(path, int) or path is None:
            return True  # a descriptor that was opened before
        text = os.path.realpath(os.fsdecode(path))  # type: ignore[arg-type]
        return text == os.devnull or any(text == one or text.startswith(one + os.sep) for one in folders)

    def look(event: str, arguments: tuple) -> None:
        if event == "open":
            path, _, flags = arguments
            if flags is not None and flags & WRITES and not is_inside(path):
                say("write", path)
            elif isinstance(path, str) and path in SECRET:
                say("read", path)
        elif event in CHANGES:
            for index in CHANGES[event]:
                if not is_inside(arguments[index]):
                    say("write", arguments[index])
        elif event in STARTS:
            say("process", arguments[:2])
        elif event in CALLS:
            address = arguments[1] if event in ("socket.connect", "socket.sendto", "socket.bind") else arguments[:2]
            if isinstance(address, (str, bytes)):
                return  # a local socket's name
            host, port = (address[0], address[1]) if address and len(address) >= 2 else (address, None)
            if event == "socket.bind" and host in ("127.0.0.1", "localhost", "::1"):
                return
            if host not in ("127.0.0.1", "localhost") or port not in ports:
                say("network", (event, host, port))
                raise PermissionError(f"not while this is tested: {event} {host!r} {port!r}")

    def hook(event: str, arguments: tuple) -> None:
        if not busy:
            busy.append(1)
            try:
                look(event, arguments)
            finally:
                busy.pop()

    sys.addaudithook(hook)


if __name__ == "__main__":
    main()
