"""One stream's open fields → questions → recorded or new answers → the ways in a new order.

Every failure leaves the matcher's own order, and is told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...forms import either
from ..advice import Fields
from ..scoring import Pair, Way
from .answers import Answer, Read, read_reply
from .client import Failed
from .nearest import TEXTS_A_REQUEST, Texts, by_position, is_usable, nearest_of, texts_for, with_nearest
from .prompt import Prompt, prompt_for, told_back
from .questions import Asking, Group, Question, groups_of, questions_for
from .rank import shipped_trust, with_answer
from .records import MOST, AnsweredForm, NearestForm, RecordedForm, UsageForm, by_question
from .run import Estimate, ModelRun

AGAIN = 2
"""How often a reply that does not fit is told so and asked for again."""


class ModelAdviser:
    """Asks a model about one stream."""

    def __init__(self, run: ModelRun, asking: Asking, recorded: RecordedForm | None, file: str) -> None:
        """An adviser.

        Args:
            recorded: What models said of this stream before.
            file: The proposal file, for diagnostics.
        """
        self._run = run
        self._asking = asking
        self._file = file
        before = recorded or RecordedForm()
        self._before = before
        self._answers = list(before.answers)
        self._nearest = list(before.nearest)

    @property
    def recorded(self) -> RecordedForm:
        """What models said before and now."""
        return RecordedForm(answers=tuple(self._answers[-MOST:]), nearest=tuple(self._nearest[-MOST:]))

    @property
    def has_news(self) -> bool:
        """Whether something was said that was not recorded before."""
        return self.recorded != self._before

    def advise(
        self,
        source: Fields,
        destination: Fields,
        ways: Sequence[Sequence[Way]],
        pairs: Sequence[Sequence[Pair]],
        wanted: Sequence[int],
    ) -> list[list[Way]]:
        model = self._run.settings.model
        found = [list(row) for row in ways]
        near = self._near(texts_for(source, destination, ways)) if wanted else None
        nearby: Mapping[int, Sequence[int]] = {}
        if near is not None:
            nearby = by_position(near, source, destination)
            found = with_nearest(found, pairs, near, source, destination, wanted, shipped_trust())
        if model is None:
            return found
        questions = questions_for(source, destination, ways, pairs, wanted, nearby)
        answers, open_questions = self._replayed(questions, model)
        groups = list(groups_of(open_questions))
        for number, group in enumerate(groups, 1):
            if len(groups) > 1:
                self._run.settings.told(f"{self._asking.stream}: request {number} of {len(groups)}")
            answers |= self._asked(group, model)
        trust = shipped_trust()
        for question in questions:
            answer = answers.get(question.destination)
            if answer is not None:
                position = question.position
                found[position] = with_answer(found[position], pairs[position], answer, source, model, trust)
        return found

    def plan(
        self,
        source: Fields,
        destination: Fields,
        ways: Sequence[Sequence[Way]],
        pairs: Sequence[Sequence[Pair]],
        wanted: Sequence[int],
    ) -> tuple[list[Prompt], list[str], int]:
        """What `advise` would ask now, what it would embed, and how many fields recorded answers cover.

        What embeddings would add to the candidates is not known before they are made.
        """
        texts = texts_for(source, destination, ways) if wanted else None
        near = self._recorded_near(texts) if texts is not None else None
        to_embed = texts.all if texts is not None and near is None and self._run.settings.embeddings else []
        model = self._run.settings.model
        if model is None:
            return [], to_embed, 0
        nearby = by_position(near, source, destination) if near is not None else {}
        answers, open_questions = self._replayed(questions_for(source, destination, ways, pairs, wanted, nearby), model)
        return [prompt_for(self._asking, group) for group in groups_of(open_questions)], to_embed, len(answers)

    def _recorded_near(self, texts: Texts) -> NearestForm | None:
        model = self._run.settings.embeddings
        return next((one for one in self._nearest if (one.model, one.texts) == (model, texts.digest)), None)

    def _near(self, texts: Texts) -> NearestForm | None:
        """Recorded or new neighbours; None where there are none."""
        model = self._run.settings.embeddings
        if model is None or not texts.destinations or not texts.sources:
            return None
        recorded = self._recorded_near(texts)
        if recorded is not None:
            return recorded
        tokens = 0
        vectors: dict[str, list[float]] = {}
        everything = texts.all
        try:
            for start in range(0, len(everything), TEXTS_A_REQUEST):
                some = everything[start : start + TEXTS_A_REQUEST]
                made, cost = self._run.embed(some)
                if not is_usable(made) or len({len(one) for one in [*vectors.values(), *made]}) != 1:
                    raise Failed("unreadable", "its embeddings cannot be compared")
                vectors |= dict(zip(some, made, strict=True))
                tokens += cost
        except Failed as failed:
            code = "V463" if failed.kind == "unreachable" else "V465"
            said = "did not answer" if code == "V463" else "gave no usable answer"
            self._run.warn(
                code,
                f"the model `{model}` for embeddings {said}: {failed.why}",
                self._file,
                "go on without further candidates, or run `vitesse map` with it again: open rules are looked at again",
            )
            return None
        near = nearest_of(texts, vectors, model, tokens)
        self._nearest = [*(one for one in self._nearest if one.model != model), near]
        return near

    def _replayed(self, questions: Sequence[Question], model: str) -> tuple[dict[str, Answer], list[Question]]:
        """Recorded answers, and the questions that have none."""
        recorded = by_question(one for one in self._answers if one.model == model)
        by_record: dict[int, tuple[AnsweredForm, list[Question]]] = {}
        for question in questions:
            record = recorded.get(question.digest(model, self._asking))
            if record is not None:
                by_record.setdefault(id(record), (record, []))[1].append(question)
        answers: dict[str, Answer] = {}
        for record, some in by_record.values():
            answers |= self._read(record.reply, some).answers
        return answers, [question for question in questions if question.destination not in answers]

    def _asked(self, group: Group, model: str) -> dict[str, Answer]:
        """Ask for one group; what cannot be had is missing, and told."""
        try:
            return self._exchange(prompt_for(self._asking, group), model)
        except Failed as failed:
            if failed.kind == "too long" and len(group.questions) > 1:
                found: dict[str, Answer] = {}
                for half in group.halves():
                    found |= self._asked(half, model)
                return found
            self._without(group.questions, failed.why, "V463" if failed.kind == "unreachable" else "V465")
            return {}

    def _exchange(self, prompt: Prompt, model: str) -> dict[str, Answer]:
        group = prompt.group
        best: Read | None = None
        text = ""
        tokens_in = tokens_out = 0
        more: tuple[Mapping[str, str], ...] = ()
        for _ in range(1 + AGAIN):
            try:
                reply = self._run.ask(prompt, more)
            except Failed:
                if best is None:
                    raise
                break
            tokens_in += reply.tokens_in
            tokens_out += reply.tokens_out
            if reply.is_cut and len(group.questions) > 1:
                raise Failed("too long", "its answer was cut short")
            read = self._read(reply.text, group.questions)
            if best is None or len(read.answers) > len(best.answers):
                best, text = read, reply.text
            if not read.faults:
                break
            more = told_back(reply.text, read.faults)
        assert best is not None
        left = [question for question in group.questions if question.destination not in best.answers]
        if left:
            self._without(left, best.faults[0], "V465")
        if best.answers:
            self._answers.append(
                AnsweredForm(
                    model=model,
                    prompt=prompt.digest,
                    questions={
                        question.destination: question.digest(model, self._asking)
                        for question in group.questions
                        if question.destination in best.answers
                    },
                    reply=text,
                    usage=UsageForm(input=tokens_in, output=tokens_out),
                )
            )
        return dict(best.answers)

    def _read(self, text: str, questions: Sequence[Question]) -> Read:
        return read_reply(text, Group(questions=tuple(questions)), tuple(self._asking.functions))

    def _without(self, questions: Sequence[Question], why: str, code: str) -> None:
        names = [question.destination for question in questions]
        shown = either(names) if len(names) <= 3 else f"`{names[0]}` and {len(names) - 1} more"
        said = "did not answer" if code == "V463" else "gave no usable answer"
        self._run.warn(
            code,
            f"the model `{self._run.settings.model}` {said} for {shown}: {why}",
            self._file,
            "go on with what names and types propose, or run `vitesse map --llm` again: open rules are looked at again",
        )


class Planner:
    """Finds what would be asked; says nothing."""

    def __init__(self, adviser: ModelAdviser, estimate: Estimate, stream: str) -> None:
        self._adviser = adviser
        self._estimate = estimate
        self._stream = stream

    def advise(
        self,
        source: Fields,
        destination: Fields,
        ways: Sequence[Sequence[Way]],
        pairs: Sequence[Sequence[Pair]],
        wanted: Sequence[int],
    ) -> list[list[Way]]:
        prompts, texts, recorded = self._adviser.plan(source, destination, ways, pairs, wanted)
        self._estimate.prompts += [(self._stream, prompt) for prompt in prompts]
        self._estimate.texts += [(self._stream, texts)] if texts else []
        self._estimate.recorded += recorded
        return [list(row) for row in ways]
