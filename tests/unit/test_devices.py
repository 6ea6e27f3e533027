from __future__ import annotations

import ast
import json
from importlib.util import find_spec
from pathlib import Path

import pytest

from harness.devices import SPLIT_BY, parallel_args
from harness.errors import ConfigError

MODULES = {"vllm": ("vllm_causallms", "VLLM"), "sglang": ("sglang_causallms", "SGLangLM")}


def parameters(backend: str) -> dict[str, object]:
    """Read the parameters of lm-eval's backend from its source: it need not be installed."""
    module, name = MODULES[backend]
    source = Path(find_spec("lm_eval").origin).parent / "models" / f"{module}.py"
    kinds = [node for node in ast.parse(source.read_text()).body if isinstance(node, ast.ClassDef)]
    made = next(kind for kind in kinds if kind.name == name)
    init = next(node for node in made.body if getattr(node, "name", "") == "__init__").args
    names = [arg.arg for arg in init.args][-len(init.defaults) :]
    assert init.kwarg is not None, "further arguments go to the engine"
    return {name: ast.unparse(value) for name, value in zip(names, init.defaults, strict=True)}


@pytest.mark.parametrize("backend", sorted(SPLIT_BY))
def test_names_are_those_of_lm_eval_backends(backend):
    known = parameters(backend)
    assert [known[name] for name in SPLIT_BY[backend]] == ["1", "1"]


def test_vllm_is_told_how_many_gpus_share_the_model():
    told = parallel_args("vllm", {"pretrained": "m", "dtype": "bfloat16"}, 4)
    assert told == {
        "pretrained": "m",
        "dtype": "bfloat16",
        "tensor_parallel_size": 4,
        "distributed_executor_backend": "mp",
    }
    assert parallel_args("vllm", {"tensor_parallel_size": "4"}, 4)["tensor_parallel_size"] == 4
    assert parallel_args("vllm", {}, 1) == {"tensor_parallel_size": 1}
    assert parallel_args("sglang", {}, 2) == {"tp_size": 2}


@pytest.mark.parametrize(
    ("backend", "args", "gpus", "fault"),
    [
        ("vllm", {"tensor_parallel_size": 2}, 4, "disagree"),
        ("vllm", {"data_parallel_size": 2}, 1, "the workers are the copies"),
        ("sglang", {"dp_size": 2}, 2, "the workers are the copies"),
        ("hf", {"pretrained": "m"}, 2, "add parallelize=True"),
        ("hf", {"parallelize": "False"}, 2, "add parallelize=True"),
        ("planted", {}, 2, "puts a model on one GPU"),
        ("hf", {}, -1, "must be 0 or more"),
    ],
)
def test_what_cannot_be_is_refused(backend, args, gpus, fault):
    with pytest.raises(ConfigError, match=fault):
        parallel_args(backend, args, gpus)


@pytest.mark.parametrize("split", [{"parallelize": True}, {"device_map": "auto"}])
def test_hf_model_that_is_split_takes_more_gpus(split):
    assert parallel_args("hf", split, 4) == split
    assert parallel_args("hf", {"pretrained": "m"}, 1) == {"pretrained": "m"}


def test_heads_that_cannot_be_shared_are_told_where_the_folder_says_so(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"num_attention_heads": 6}))
    args = {"pretrained": str(tmp_path)}
    assert parallel_args("vllm", args, 3)["tensor_parallel_size"] == 3
    with pytest.raises(ConfigError, match="6 attention heads cannot be shared by 4"):
        parallel_args("vllm", args, 4)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(ConfigError, match="cannot be read"):
        parallel_args("vllm", args, 2)
