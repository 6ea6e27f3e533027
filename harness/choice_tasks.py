"""lm-eval's own multiple-choice tasks, scored safely and with a control."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import lm_eval.tasks
from jinja2 import TemplateError
from lm_eval.api.instance import Instance
from lm_eval.api.samplers import ContextSampler, FirstNSampler, get_sampler
from lm_eval.api.task import ConfigurableTask
from lm_eval.tasks._yaml_loader import load_yaml

from harness import choices
from harness.backend import count_tokens, is_cut
from harness.base_task import SelfcheckTask, Usage, total
from harness.content import check_content, parse_kind
from harness.data import DataRef, Split, doc_hash
from harness.errors import ConfigError, DataError, unknown
from harness.fewshot import ORDERS, Shown, draw_examples
from harness.scoring import best_choice, choice_evidence, is_tied

Score = tuple[float, bool]
SPLITS = ("training_split", "validation_split", "test_split", "fewshot_split")
METRICS = ("acc", "acc_norm", "acc_answer_only", "lift", "ties")


class ChoiceTask(SelfcheckTask):
    """A multiple-choice task of the installed lm-eval: its prompt, choices and targets.

    Ours are the data (`harness.data`), the drawing of few-shot examples, the scoring of ties, and
    the answer-only control: the columns in `answer_only` are emptied, and the choices scored again.
    A gain in accuracy that the control shows too is style, not knowledge.

    Keys: `builtin`, a file under `lm_eval/tasks`; `override`, what replaces keys of that file;
    `require`, column -> kind of content (`harness.content`); `answer_only`, columns to empty;
    `num_fewshot` with `fewshot_split`; `fewshot_same`, a column whose value an example shares with
    the document; `fewshot_order`, "document" (drawn by a generator seeded with the document) or
    "stock" (as lm-eval does, where examples depend on the documents before: for parity only).
    """

    OUTPUT_TYPE = choices.REQUEST
    OWN_KEYS = frozenset(
        {"builtin", "override", "require", "answer_only"}
        | {"num_fewshot", "fewshot_split", "fewshot_same", "fewshot_order"}
    )

    def __init__(self, config: dict[str, Any] | None = None, **_: Any) -> None:
        super().__init__(config)
        own = self.file.own
        with self.file.errors():
            self.builtin = builtin_file(own["builtin"])
            self.require = {column: parse_kind(kind) for column, kind in own["require"].items()}
            for metric in self.file.metrics:
                if metric not in METRICS:
                    raise ConfigError(unknown("metric", metric, METRICS))
            asked = (config or {}).get("metadata") or {}
            self.fewshot_order = asked.get("fewshot_order", own.get("fewshot_order", "document"))
            if self.fewshot_order not in ORDERS:
                raise ConfigError(unknown("fewshot_order", str(self.fewshot_order), ORDERS))
            if bool(own.get("num_fewshot")) != bool(own.get("fewshot_split")):
                raise ConfigError("num_fewshot and fewshot_split belong together")
            control = {"acc_answer_only", "lift"} & set(self.file.metrics)
            if bool(control) != bool(own.get("answer_only")) or len(control) == 1:
                raise ConfigError("answer_only, acc_answer_only and lift belong together")
        self._config = self.file.lm_eval_config("multiple_choice", own.get("num_fewshot") or 0)
        self.fewshot_seed = 0

    def set_fewshot_seed(self, seed: int | None = None) -> None:
        """Seed the few-shot examples."""
        self.fewshot_seed = seed or 0
        self.__dict__.pop("_stock_sampler", None)

    @property
    def variant(self) -> dict[str, str]:
        """How few-shot examples are drawn, if there are any."""
        return {"fewshot_order": self.fewshot_order} if self.config.num_fewshot else {}

    @property
    def refs(self) -> frozenset[DataRef]:
        """The documents' split, and that of the few-shot examples."""
        told = self.file.own.get("fewshot_split")
        return super().refs | ({self.file.ref_of(told)} if told else frozenset())

    @cached_property
    def examples(self) -> Split | None:
        """The split that few-shot examples come from, loaded on first use."""
        told = self.file.own.get("fewshot_split")
        return self._load(self.file.ref_of(told), self.problem) if told else None

    def load(self) -> None:
        """Load the documents and the few-shot examples, now.

        Raises:
            DataError: there are too few examples.
        """
        super().load()
        if self.examples is None:
            return
        same, shots = self.file.own.get("fewshot_same"), self.config.num_fewshot or 0
        there = Counter(doc[same] if same else "" for doc in self.examples.docs)
        for value in {doc[same] if same else "": None for doc in self.split.docs}:
            if there[value] < shots:
                what = f" with {same} = {value}" if same else ""
                raise DataError(
                    f"{self.examples.ref}{what}: {there[value]} rows for {shots} few-shot examples"
                )

    def describe_data(self) -> dict[str, Any]:
        """Tell the documents from others, and the examples."""
        shown = {} if self.examples is None else {"fewshot": self.examples.describe()}
        return {**super().describe_data(), **shown}

    @cached_property
    def inner(self) -> ConfigurableTask:
        """lm-eval's own task, on our data."""
        import datasets

        config = {**load_yaml(self.builtin), **self.file.own.get("override", {})}
        for key in ("tag", "task_list"):
            config.pop(key, None)
        documents = config.get("test_split") or config["validation_split"]
        data = {documents: datasets.Dataset.from_list(self.split.docs)}
        if self.examples is not None:
            shown = config.get("fewshot_split") or config["training_split"]
            data[shown] = datasets.Dataset.from_list(self.examples.docs)
        config |= dict.fromkeys(key for key in SPLITS if config.get(key) not in data)

        class Inner(ConfigurableTask):  # type: ignore[misc]
            def download(self, *_: Any, **__: Any) -> None:
                self.dataset = data

        return Inner(config=config)

    @cached_property
    def _prepared(self) -> dict[str, dict[str, Any]]:
        """Hash of a document -> the document as lm-eval's task has processed it."""
        prepared = list(self.inner.eval_docs)
        if len(prepared) != len(self.split.docs):
            raise DataError(
                f"{self.task_name}: {self.builtin.name} makes {len(prepared)} documents of "
                f"{len(self.split.docs)}: it drops some, which we cannot follow"
            )
        return dict(zip(self.split.hashes, prepared, strict=True))

    def _view(self, doc: Mapping[str, Any]) -> dict[str, Any]:
        found = self._prepared.get(doc_hash(doc))
        return dict(doc) if found is None else found  # the control's documents are no others

    def problem(self, doc: Mapping[str, Any]) -> str | None:
        """Say what keeps a document from being used, or None."""
        return check_content(doc, self.require)

    def doc_to_text(self, doc: Mapping[str, Any]) -> Any:
        """Give the prompt of lm-eval's task."""
        return self.inner.doc_to_text(self._view(doc))

    def doc_to_target(self, doc: Mapping[str, Any]) -> Any:
        """Give the target of lm-eval's task."""
        return self.inner.doc_to_target(self._view(doc))

    def requests(self, doc: dict[str, Any], metadata: tuple[Any, ...], **options: Any) -> list[Any]:
        """Build an instance per choice, and the same again for the control."""
        self._show_examples(doc)
        try:
            asked = self._scored(self._view(doc), metadata, options)
        except (LookupError, ValueError, TypeError, TemplateError) as err:
            raise DataError(f"{self.file.ref}, document {doc_hash(doc)[:12]}: {err}") from err
        if "acc_answer_only" in self.file.metrics:
            blank = {**self._view(doc), **dict.fromkeys(self.file.own["answer_only"], "")}
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

    def _show_examples(self, doc: dict[str, Any]) -> None:
        """Hand the few-shot examples of a document to lm-eval's task."""
        shots = self.config.num_fewshot or 0
        if not shots:
            return
        view = self._view(doc)
        if self.fewshot_order == "stock" and not self.file.own.get("fewshot_same"):
            among_documents = self.inner.fewshot_cfg.split == self.inner.config.test_split
            chosen = self._stock_sampler.sample(n=shots, eval_doc=view if among_documents else None)
        else:
            seed = f"{self.fewshot_seed} {doc_hash(doc)}"
            in_order = isinstance(self._stock_sampler, FirstNSampler)
            chosen = draw_examples(self._pool(view), shots, seed, in_order)
        self.inner.sampler = Shown(chosen)

    @cached_property
    def _stock_sampler(self) -> ContextSampler:
        kind = get_sampler(self.inner.fewshot_cfg.sampler)
        return kind(list(self.inner.fewshot_docs()), rnd=self.fewshot_seed)

    @cached_property
    def _examples_with_text(self) -> list[tuple[dict[str, Any], str]]:
        """The examples with their questions; in the data's order if the first ones are shown."""
        assert self.examples is not None
        shown = list(self.inner.fewshot_docs())
        if not isinstance(self._stock_sampler, FirstNSampler) and len(shown) == len(
            self.examples.docs
        ):
            pairs = zip(self.examples.hashes, shown, strict=True)
            shown = [doc for _, doc in sorted(pairs, key=lambda pair: pair[0])]
        return [(doc, self.inner.doc_to_text(doc)) for doc in shown]

    def _pool(self, doc: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Give the examples that may be shown with a document: none that asks the same."""
        own, same = self.inner.doc_to_text(doc), self.file.own.get("fewshot_same")
        return [
            shown
            for shown, text in self._examples_with_text
            if text != own and (same is None or shown[same] == doc[same])
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
        doc = self._view(doc)
        asked, control = self._halves(results)
        acc = self._accuracy(doc, asked)
        told = {"acc": acc, "ties": float(is_tied([score for score, _ in asked]))}
        if control:
            told["acc_answer_only"] = self._accuracy(doc, control)
            told["lift"] = acc - told["acc_answer_only"]
        if "acc_norm" in self.file.metrics:
            told["acc_norm"] = self._normalised(doc, asked)
        return {name: told[name] for name in self.file.metrics}

    def _halves(self, results: Sequence[Any]) -> tuple[Sequence[Any], Sequence[Any]]:
        controlled = "acc_answer_only" in self.file.metrics
        half = len(results) // 2 if controlled else len(results)
        return results[:half], results[half:]

    def evidence(self, sample: Mapping[str, Any]) -> dict[str, Any]:
        """Take the choices with their scores."""
        controlled = "acc_answer_only" in self.file.metrics
        return choice_evidence(sample["arguments"], sample["filtered_resps"], controlled)

    def usage(self, sample: Mapping[str, Any], lm: Any) -> Usage:
        """Say how many choices with their prompt were longer than the context, and all tokens."""
        cut = [is_cut(lm, "loglikelihood", args) for args in sample["arguments"]]
        contexts = Counter(context for context, _ in sample["arguments"])
        tokens = [_times(n, count_tokens(lm, context)) for context, n in contexts.items()]
        tokens += [count_tokens(lm, choice) for _, choice in sample["arguments"]]
        return Usage(total(cut), 0, total(tokens), 0)

    def conditions(self) -> dict[str, Any]:
        """Say what scores depend on; how examples are drawn, where there are some."""
        shots = {"fewshot_seed": self.fewshot_seed, "fewshot_order": self.fewshot_order}
        return {**super().conditions(), **(shots if self.config.num_fewshot else {})}

    def _accuracy(self, doc: Mapping[str, Any], results: Sequence[Score]) -> float:
        scores = [score for score, _ in results]
        if callable(self.inner.config.process_results):
            top = max(scores)
            shifted = [(score - top, greedy) for score, greedy in results]
            return float(self.inner.process_results(doc, shifted)["acc"])
        return best_choice(scores, self._gold(doc))

    def _normalised(self, doc: Mapping[str, Any], results: Sequence[Score]) -> float:
        """Score by log-likelihood per character, as lm-eval's acc_norm."""
        options = self.inner.doc_to_choice(doc)
        lengths = [max(1, len(text)) for text in options]  # lm-eval's processing may empty one
        scores = [score / n for (score, _), n in zip(results, lengths, strict=True)]
        return best_choice(scores, self._gold(doc))

    def _gold(self, doc: Mapping[str, Any]) -> set[int]:
        target = self.inner.doc_to_target(doc)
        targets = target if isinstance(target, list) else [target]
        options = self.inner.doc_to_choice(doc)
        return {options.index(one) if isinstance(one, str) else int(one) for one in targets}


def _times(number: int, tokens: int | None) -> int | None:
    return None if tokens is None else number * tokens


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
