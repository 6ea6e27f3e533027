"""lm-eval's own multiple-choice tasks, scored safely and with a control."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import lm_eval.tasks
from lm_eval.api.instance import Instance
from lm_eval.api.task import ConfigurableTask
from lm_eval.tasks._yaml_loader import load_yaml

from harness import choices
from harness.backend import is_cut
from harness.base_task import SelfcheckTask
from harness.data import doc_hash
from harness.errors import ConfigError, unknown
from harness.scoring import best_choice, is_tied

Score = tuple[float, bool]


class ChoiceTask(SelfcheckTask):
    """A multiple-choice task of the installed lm-eval: its prompt, choices, targets, few-shot.

    Ours are the data (`harness.data`), the scoring of ties, and the answer-only control: the
    columns in `answer_only` are emptied, and the choices scored again. A gain in accuracy that the
    control shows too is style, not knowledge.

    Keys: `builtin`, a file under `lm_eval/tasks`; `answer_only`, columns to empty; `require`,
    column -> kind of content (a key of `CONTENT`).
    """

    OUTPUT_TYPE = choices.REQUEST
    OWN_KEYS = frozenset({"builtin", "answer_only", "require"})

    def __init__(self, config: dict[str, Any] | None = None, **_: Any) -> None:
        super().__init__(config)
        with self.file.errors():
            self.builtin = builtin_file(self.file.own["builtin"])
            for kind in self.file.own["require"].values():
                if kind not in CONTENT:
                    raise ConfigError(unknown("content in require", str(kind), CONTENT))
        shots = load_yaml(self.builtin, resolve_func=False).get("num_fewshot") or 0
        self._config = self.file.lm_eval_config("multiple_choice", shots)
        self.fewshot_seed = 0

    def set_fewshot_seed(self, seed: int | None = None) -> None:
        """Seed the few-shot examples."""
        self.fewshot_seed = seed or 0

    @cached_property
    def inner(self) -> ConfigurableTask:
        """lm-eval's own task, on our data."""
        import datasets

        config = load_yaml(self.builtin)
        for key in ("tag", "task_list"):
            config.pop(key, None)
        documents = datasets.Dataset.from_list(self.split.docs)

        class Inner(ConfigurableTask):  # type: ignore[misc]
            def download(self, *_: Any, **__: Any) -> None:
                split = self.config.test_split or self.config.validation_split
                self.dataset = {split: documents}

        return Inner(config=config)

    def problem(self, doc: Mapping[str, Any]) -> str | None:
        """Say what keeps a document from being used, or None."""
        for column, kind in self.file.own["require"].items():
            if column not in doc:
                return f"no column {column!r}; there are: {', '.join(sorted(doc))}"
            if not CONTENT[kind](doc[column]):
                return f"{column!r} is no {kind}: {str(doc[column])[:80]!r}"
        return None

    def doc_to_text(self, doc: Mapping[str, Any]) -> Any:
        """Give the prompt of lm-eval's task."""
        return self.inner.doc_to_text(doc)

    def doc_to_target(self, doc: Mapping[str, Any]) -> Any:
        """Give the target of lm-eval's task."""
        return self.inner.doc_to_target(doc)

    def requests(self, doc: dict[str, Any], metadata: tuple[Any, ...], **options: Any) -> list[Any]:
        """Build an instance per choice, and the same again for the control."""
        blank = {**doc, **dict.fromkeys(self.file.own["answer_only"], "")}
        self.inner.set_fewshot_seed(self.fewshot_seed + int(doc_hash(doc)[:12], 16))
        asked = self._scored(doc, metadata, options)
        self.inner.set_fewshot_seed(self.fewshot_seed + int(doc_hash(doc)[:12], 16))
        asked += self._scored(blank, metadata, options)
        return [
            Instance(
                request_type=choices.REQUEST,
                doc=doc,
                arguments=instance.arguments,
                idx=place,
                metadata=metadata,
            )
            for place, instance in enumerate(asked)
        ]

    def _scored(
        self, doc: dict[str, Any], metadata: tuple[Any, ...], options: Mapping[str, Any]
    ) -> list[Any]:
        template = {name: options.get(name) for name in ("apply_chat_template", "chat_template")}
        context = self.inner.fewshot_context(
            doc,
            num_fewshot=self.config.num_fewshot or 0,
            system_instruction=options.get("system_instruction"),
            fewshot_as_multiturn=bool(options.get("fewshot_as_multiturn")),
            gen_prefix=self.inner.doc_to_prefix(doc),
            **template,
        )
        built = self.inner.construct_requests(doc=doc, ctx=context, metadata=metadata, **template)
        return list(built)

    def score(self, doc: Mapping[str, Any], results: Sequence[Score]) -> Mapping[str, float | None]:
        """Score the choices with the question and without it; None if the task has failed."""
        if any(not math.isfinite(score) for score, _ in results):
            return dict.fromkeys(self.file.metrics)
        half = len(results) // 2
        acc, alone = self._accuracy(doc, results[:half]), self._accuracy(doc, results[half:])
        tied = float(is_tied([score for score, _ in results[:half]]))
        return {"acc": acc, "acc_answer_only": alone, "lift": acc - alone, "ties": tied}

    def evidence(self, sample: Mapping[str, Any]) -> dict[str, Any]:
        """Take the choices with their scores; the second half are the answer-only control's."""
        scored = zip(sample["arguments"], sample["filtered_resps"], strict=True)
        told = [
            {"choice": choice, "score": score, "greedy": greedy}
            for (_, choice), (score, greedy) in scored
        ]
        half = len(told) // 2
        context = {
            "prompt": sample["arguments"][0][0],
            "answer_only_prompt": sample["arguments"][-1][0],
        }
        return {**context, "choices": told[:half], "answer_only": told[half:]}

    def cuts(self, sample: Mapping[str, Any], lm: Any) -> dict[str, bool | None]:
        """Say whether a choice or its prompt was longer than the context."""
        cut = [is_cut(lm, "loglikelihood", args) for args in sample["arguments"]]
        return {"prompt_cut": None if None in cut else any(cut), "answer_cut": False}

    def _accuracy(self, doc: Mapping[str, Any], results: Sequence[Score]) -> float:
        scores = [score for score, _ in results]
        if callable(self.inner.config.process_results):
            top = max(scores)
            shifted = [(score - top, greedy) for score, greedy in results]
            return float(self.inner.process_results(doc, shifted)["acc"])
        return best_choice(scores, self._gold(doc))

    def _gold(self, doc: Mapping[str, Any]) -> set[int]:
        target = self.inner.doc_to_target(doc)
        targets = target if isinstance(target, list) else [target]
        options = self.inner.doc_to_choice(doc)
        return {options.index(one) if isinstance(one, str) else int(one) for one in targets}


def builtin_file(name: str) -> Path:
    """Find a task file of the installed lm-eval.

    Raises:
        ConfigError: it is not there; names the nearest in the same folder.
    """
    root = Path(lm_eval.tasks.__file__).parent
    path = root / name
    if not path.is_file():
        near = (
            [str(p.relative_to(root)) for p in path.parent.glob("*.yaml")]
            if path.parent.is_dir()
            else []
        )
        raise ConfigError(
            unknown("lm-eval task file", name, near or [p.name for p in root.iterdir()])
        )
    return path


def _is_text(content: Any) -> bool:
    return isinstance(content, str) and bool(content.strip())


def _is_choices(content: Any) -> bool:
    if not isinstance(content, Mapping):
        return False
    options, labels = content.get("choices"), content.get("labels")
    if not isinstance(options, Sequence) or not isinstance(labels, Sequence):
        return False
    fits = len(options) == len(labels) and len(options) > 1 and all(map(_is_text, options))
    return fits and set(labels) <= {0, 1} and 1 in labels


def _is_first_right(content: Any) -> bool:
    return _is_choices(content) and list(content["labels"]) == [
        1,
        *[0] * (len(content["labels"]) - 1),
    ]


CONTENT: Mapping[str, Callable[[Any], bool]] = {
    "text": _is_text,
    "choices": _is_choices,
    "choices, the first right": _is_first_right,
}
