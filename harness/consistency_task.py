"""The lm-eval task of explanation consistency, and its options."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import islice
from typing import Any

from harness.checks.consistency import consistency, freeze
from harness.checks.inquiry import SLOTS, Inquiry
from harness.checks.predictions import METRICS
from harness.data import doc_hash
from harness.dialogue_task import DialogueTask
from harness.domains import Posed, build_questions
from harness.errors import ConfigError, DataError, misspelt, unknown
from harness.follow_ups import FrozenFollowUps, TaskVersion, read_follow_ups_file
from harness.prompts import build_prompt
from harness.questions import Dialogue
from harness.simulator import read_simulator

FILE_KEY, COUNT_KEY = "follow_ups", "follow_up_count"
KEYS = (FILE_KEY, COUNT_KEY)
"""Keys of lm-eval's `--metadata`: a file of frozen follow-ups, or how many to write."""
SHOWN = 3
STRANGERS = 3
"""Other questions that are asked, one after the other, for the explanation of the control."""


class ConsistencyTask(DialogueTask):
    """The consistency of `harness.checks.consistency`, on questions that stand on their own.

    Keys: `kind` and `columns` of the questions, `follow_up_count`, a prompt for each stage of
    `SLOTS`, `headline_with_simulator`: the headline where another model simulates. Of `--metadata`:
    those of `harness.simulator` and `KEYS`.
    """

    OWN_KEYS = frozenset({"kind", "columns", COUNT_KEY, "headline_with_simulator", *SLOTS})

    def __init__(self, config: dict[str, Any] | None = None, **_: Any) -> None:
        super().__init__(config)
        asked = (config or {}).get("metadata") or {}
        self.simulator = read_simulator(asked)
        with self.file.errors():
            own = self.file.own
            self.questions = build_questions(own["kind"], own.get("columns") or {})
            self.prompts = {
                stage: build_prompt(stage, own[stage], slots) for stage, slots in SLOTS.items()
            }
            if set(self.file.plain_metrics) != set(METRICS):
                raise ConfigError(f"metric_list must hold {', '.join(METRICS)}, and gains of them")
            if own["headline_with_simulator"] not in self.file.metrics:
                told = str(own["headline_with_simulator"])
                raise ConfigError(unknown("metric as headline", told, self.file.metrics))
        self.frozen = self._frozen(asked)
        self.count = _count(asked, own[COUNT_KEY], self.frozen)

    @property
    def headline(self) -> str | None:
        """The metric that a leaderboard ranks by."""
        own = self.simulator.is_self
        return self.file.headline if own else str(self.file.own["headline_with_simulator"])

    @property
    def simulated_by(self) -> str | None:
        """Who simulates, for people."""
        return self.simulator.label

    def conditions(self) -> dict[str, Any]:
        """Say what scores depend on; the simulator is known once it has met the model."""
        return {
            **super().conditions(),
            "simulator": self.simulator.identity,
            "simulator_chat_template": self.simulator.chat_template,
            "follow_ups": self.frozen.digest if self.frozen else f"{self.count} new ones",
        }

    @property
    def written_as(self) -> TaskVersion:
        """What a file of follow-ups must have been made with."""
        return TaskVersion(str(self.file.version), super().conditions()["definition"])

    def problem(self, doc: Mapping[str, Any]) -> str | None:
        """Say what keeps a document from being used, or None."""
        return self.questions.problem(doc)

    def load(self) -> None:
        """Load the data.

        Raises:
            DataError: as `split`, or there is only one question.
        """
        super().load()
        if len({self.questions.posed(doc).question for doc in self.split.docs}) == 1:
            raise DataError(f"{self.file.ref}: holds one question; the control needs another one")

    def check_documents(self, docs: Sequence[Mapping[str, Any]]) -> None:
        """Check that there are frozen follow-ups to all documents that will be evaluated.

        Raises:
            ConfigError: there are not.
        """
        if self.frozen is None:
            return
        known = self.frozen.of(str(self.task_name))
        lacking = [digest for digest in map(doc_hash, docs) if digest not in known]
        if lacking:
            some = ", ".join(digest[:12] for digest in lacking[:SHOWN])
            raise ConfigError(
                f"{self.frozen.place}: has no follow-ups to {len(lacking)} of {len(docs)} "
                f"documents of {self.task_name} ({some}, ...); take the --subset and "
                "--subset-seed of the run that it was made from, or make it again"
            )

    def case(self, doc: Mapping[str, Any]) -> Inquiry:
        """Open the case of one document."""
        digest = doc_hash(doc)
        return Inquiry(
            self.questions.posed(doc),
            self.questions.right(doc),
            self._strangers(digest, doc),
            self.prompts,
            self.count,
            self.simulator.is_self,
            None if self.frozen is None else self.frozen.of(str(self.task_name))[digest],
        )

    def doc_to_text(self, doc: Mapping[str, Any]) -> str:
        """Give the first question."""
        posed = self.questions.posed(doc)
        return self.prompts["explain"].render(question=posed.text, answers=posed.answers).strip()

    def doc_to_target(self, doc: Mapping[str, Any]) -> str:
        """Give the gold label."""
        return self.questions.gold(doc)

    def requests(self, doc: dict[str, Any], metadata: tuple[Any, ...], **options: Any) -> list[Any]:
        """Build the one request of a document: its dialogue, with the simulator."""
        built = super().requests(doc, metadata, **options)
        for request in built:
            request.simulator, request.ready = self.simulator, self._check_simulator
        return built

    def start(self, doc: Mapping[str, Any]) -> Dialogue:
        """Start the dialogue about one document."""
        return consistency(self.case(doc))

    def start_freezing(self, doc: Mapping[str, Any], explanation: str) -> Dialogue:
        """Start to write follow-ups to an explanation of the answer."""
        return freeze(self.case(doc), explanation)

    @cached_property
    def _in_order(self) -> list[tuple[str, dict[str, Any]]]:
        pairs = zip(self.split.hashes, self.split.docs, strict=True)
        return sorted(pairs, key=lambda pair: pair[0])

    def _strangers(self, digest: str, doc: Mapping[str, Any]) -> list[Posed]:
        """Take the next documents by hash that ask something else.

        They depend on the split alone: a subset, or another order, gives the same.
        """
        own, docs = self.questions.posed(doc), self._in_order
        start = bisect_right(docs, digest, key=lambda pair: pair[0])
        others = (self.questions.posed(docs[(start + n) % len(docs)][1]) for n in range(len(docs)))
        return list(islice((one for one in others if one.question != own.question), STRANGERS))

    def _frozen(self, asked: Mapping[str, Any]) -> FrozenFollowUps | None:
        misspelt("key of metadata", map(str, asked), KEYS)
        if asked.get(FILE_KEY) is None:
            return None
        frozen = read_follow_ups_file(str(asked[FILE_KEY]))
        frozen.check_task(str(self.task_name), self.written_as)
        frozen.check_kind(str(self.task_name), with_options=self.file.own["kind"] == "options")
        return frozen

    def _check_simulator(self) -> None:
        if self.frozen is not None:
            self.frozen.check_simulator(self.simulator.identity, self.simulator.chat_template)


def _count(asked: Mapping[str, Any], by_file: Any, frozen: FrozenFollowUps | None) -> int:
    if frozen is not None:
        if asked.get(COUNT_KEY) is not None:
            raise ConfigError(f"metadata: {FILE_KEY} and {COUNT_KEY}: the file has its own number")
        return frozen.header.count
    told = asked.get(COUNT_KEY, by_file)
    if not isinstance(told, int) or isinstance(told, bool) or not 1 <= told <= 100:
        raise ConfigError(f"{COUNT_KEY} must be a number from 1 to 100, got {told!r}")
    return told
