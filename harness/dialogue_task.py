"""An lm-eval task whose request is a dialogue."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from harness import dialogue
from harness.base_task import SelfcheckTask, Usage, total
from harness.questions import Dialogue


class DialogueTask(SelfcheckTask):
    """A task that holds one dialogue with the model about each document."""

    OUTPUT_TYPE = dialogue.REQUEST

    @abstractmethod
    def start(self, doc: Mapping[str, Any]) -> Dialogue:
        """Start the dialogue about one document."""

    @abstractmethod
    def doc_to_text(self, doc: Mapping[str, Any]) -> str:
        """Give the first question."""

    def requests(self, doc: dict[str, Any], metadata: tuple[Any, ...], **options: Any) -> list[Any]:
        """Build the one request of a document: its dialogue."""
        settings = {
            "apply_chat_template": bool(options.get("apply_chat_template")),
            "system_instruction": options.get("system_instruction"),
            "generation_kwargs": dict(self.config.generation_kwargs or {}),
        }
        return [
            dialogue.DialogueInstance(
                request_type=dialogue.REQUEST,
                doc=doc,
                arguments=(self.doc_to_text(doc), settings),
                idx=0,
                metadata=metadata,
                start=lambda: self.start(doc),
                expects=frozenset(self.file.plain_metrics),
            )
        ]

    def score(self, doc: Mapping[str, Any], results: Sequence[Any]) -> Mapping[str, float | None]:
        """Read the metrics from the dialogue's JSON."""
        told = json.loads(results[0])
        metrics: Mapping[str, float | None] = told.get("metrics") or dict.fromkeys(
            self.file.plain_metrics
        )
        return metrics

    def evidence(self, sample: Mapping[str, Any]) -> dict[str, Any]:
        """Take the dialogue: its stages, and what was read from them."""
        told = json.loads(sample["filtered_resps"][0])
        return {"stages": told["stages"], "read": told.get("read")}

    def tally(self, sample: Mapping[str, Any]) -> dict[str, int]:
        """Take what the dialogue counted."""
        told: dict[str, int] = json.loads(sample["filtered_resps"][0]).get("tally", {})
        return told

    def usage(self, sample: Mapping[str, Any], lm: Any) -> Usage:
        """Add up what the stages of the dialogue took."""
        stages = json.loads(sample["filtered_resps"][0])["stages"]
        told = [[stage[name] for stage in stages] for name in Usage._fields]
        return Usage(*map(total, told))
