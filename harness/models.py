"""What a model is: the fingerprint that its answers are kept under; adapters by their folder."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from harness.demo import demo_model
from harness.errors import ConfigError, ModelError
from harness.hashes import file_sha256
from harness.trust import ADAPTER_CONFIG

__all__ = [
    "adapter_base", "demo_model", "fingerprint", "folder_digest", "is_server", "resolve_model_args",
]  # fmt: skip

log = logging.getLogger(__name__)

HF_BACKENDS = frozenset({"hf", "hf-auto", "huggingface"})
CONFIGS = ("config.json", "generation_config.json", ADAPTER_CONFIG)
WEIGHTS = ("*.safetensors", "pytorch_model*.bin", "*.gguf")  # the first kind found is what loads
ADAPTER_WEIGHTS = ("adapter_model*.safetensors", "adapter_model*.bin")
TOKENIZER = (
    "tokenizer*", "vocab*", "merges.txt", "*.model", "*.tiktoken", "special_tokens_map.json",
    "added_tokens.json", "chat_template*",
)  # fmt: skip
HF_SETTINGS = (
    "backend", "max_length", "add_bos_token", "custom_prefix_token_id", "truncation",
    "think_end_token", "enable_thinking", "chat_template_args", "softmax_dtype",
    "mixed_precision_dtype",
)  # fmt: skip
API_SETTINGS = ("model", "max_length", "add_bos_token", "tokenized_requests", "_truncate")
ADDRESS_ENDINGS = ("_API_BASE", "_BASE_URL", "_ENDPOINT")
"""Of the environment's names that hold a provider's address."""
PROBED = 64  # elements of each weight, besides their sum


class _UnidentifiedError(Exception):
    """Why a model has no fingerprint."""


def fingerprint(lm: Any) -> str | None:
    """Identify a model by all that its answers depend on; None (and a log line) if that is unknown.

    For lm-eval's HF models: the files of weights, adapter, delta and tokenizer (read once, see
    `harness.hashes`), chat template, configuration, generation settings, kind of device and of
    attention, and a checksum of each weight in memory: it tells apart what the files do not (a
    subfolder, weights changed after loading, files replaced after loading). Equal for a copy in
    another folder, and whatever the batch size. A model object, given by a caller who may be
    training it, has none.

    For servers: address, model name and, where set, the attribute `selfcheck_revision`; never a
    key. For litellm, which has no address, those of providers that the environment names. Any
    lm-eval model may say itself who it is: attribute or method `selfcheck_fingerprint`.
    """
    bare = getattr(lm, "lm", lm)  # lm-eval's CachingLM
    own = getattr(bare, "selfcheck_fingerprint", None)
    if own is not None:
        return str(own() if callable(own) else own)
    kind = type(bare)
    try:
        told = {"class": f"{kind.__module__}.{kind.__qualname__}", **_describe(bare)}
    except (_UnidentifiedError, ModelError, OSError, RuntimeError) as err:
        _say_once(f"{kind.__name__}: its answers are not kept for other runs: {err}")
        return None
    text = json.dumps(told, sort_keys=True, default=_as_json)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def share_weights(first: Any, second: Any) -> bool:
    """Say whether two lm-eval models have the same weights, however they are run.

    By the files of weights, adapter and delta, or where those of one are unknown by the weights in
    memory; servers by host, port and model name. The same model under another name, or in another
    kind of backend, cannot be recognised.
    """
    if first is second:
        return True
    ours, theirs = _weights(first), _weights(second)
    if None in (ours, theirs) and _is_hf(first) and _is_hf(second):
        return _probe(first.model) == _probe(second.model)
    return ours is not None and ours == theirs


def _weights(lm: Any) -> dict[str, Any] | None:
    """Give what tells a model's weights; None: unknown."""
    if is_server(lm) and lm.model and finds_address(lm) and not lm.base_url:
        return {"addresses": _provider_addresses(), "model": lm.model}
    if is_server(lm) and lm.base_url and lm.model:
        where = urlsplit(lm.base_url)
        host = "127.0.0.1" if where.hostname == "localhost" else where.hostname
        return {"host": host, "port": where.port, "model": lm.model}
    if not _is_hf(lm) or not isinstance(lm.pretrained, str):
        return None
    try:
        return {what: told for what, told in _hf_files(lm) if what != "tokenizer"}
    except (_UnidentifiedError, ModelError, OSError):
        return None


def _is_hf(lm: Any) -> bool:
    return f"{type(lm).__module__}.{type(lm).__qualname__}" == "lm_eval.models.huggingface.HFLM"


def is_server(lm: Any) -> bool:
    """Say whether a model, or a class of models, is lm-eval's client of a server.

    Its `max_length` is made up.
    """
    return _descends(lm, "lm_eval.models.api_models.TemplateAPI")


def finds_address(lm: Any) -> bool:
    """Say whether a client needs no address: litellm has those of the providers it knows."""
    return _descends(lm, "lm_eval.models.litellm_llms.LiteLLMChatCompletion")


def _descends(lm: Any, name: str) -> bool:
    kind = lm if isinstance(lm, type) else type(lm)
    return any(f"{one.__module__}.{one.__qualname__}" == name for one in kind.__mro__)


def adapter_base(path: str | Path) -> str | None:
    """Give the base model of a PEFT adapter's folder; None if this is no such folder.

    Raises:
        ModelError: its `adapter_config.json` cannot be read, or names no base model.
    """
    file = Path(path) / ADAPTER_CONFIG
    if not file.is_file():
        return None
    try:
        base = json.loads(file.read_text(encoding="utf-8")).get("base_model_name_or_path")
    except (OSError, ValueError, AttributeError, RecursionError) as err:
        raise ModelError(f"{file}: cannot be read as a PEFT configuration: {err}") from err
    if not isinstance(base, str) or not base:
        raise ModelError(f"{file}: base_model_name_or_path is {base!r}; give pretrained= and peft=")
    return base


def resolve_model_args(model: str, args: Mapping[str, Any]) -> dict[str, Any]:
    """Turn `pretrained=<adapter folder>` into its base model, `peft=<folder>`, and its tokenizer.

    The tokenizer is the adapter's if its folder has one and no other is asked for: it carries the
    chat template of the training.

    Raises:
        ConfigError: `peft` is given as well.
        ModelError: as `adapter_base`.
    """
    folder = args.get("pretrained")
    base = adapter_base(folder) if model in HF_BACKENDS and isinstance(folder, str) else None
    if base is None:
        return dict(args)
    if args.get("peft"):
        raise ConfigError(
            f"pretrained={folder} is an adapter, and peft={args['peft']} another: give the base "
            f"model of the second as pretrained (that of the first is {base})"
        )
    own = {"tokenizer": folder} if Path(str(folder), "tokenizer_config.json").is_file() else {}
    return {**own, **args, "pretrained": base, "peft": folder}


def folder_digest(folder: Path, inside: str = "") -> str:
    """Identify what a local folder holds of a model, without loading it: equal for a copy of it.

    Weights, adapter, tokenizer, code and configuration; not where an adapter's base was.

    Args:
        folder: of a model, an adapter or a tokenizer.
        inside: a folder within it that has the weights.

    Raises:
        OSError: a file cannot be read.
        ModelError: a configuration is no JSON.
    """
    told: dict[str, Any] = {}
    for place in dict.fromkeys((folder, folder / inside)):
        told[str(place.relative_to(folder))] = {
            "files": _hash_files(place, (*WEIGHTS, *ADAPTER_WEIGHTS, *TOKENIZER, "*.py")),
            "settings": {name: _settings(place / name) for name in CONFIGS},
        }
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def lacks_chat_template(model: str, args: Mapping[str, Any]) -> bool:
    """Say, without loading anything, whether a model surely has no chat template.

    Only the files of a local folder tell; of all other models False.
    """
    folder = Path(str(args.get("tokenizer") or args.get("pretrained")))
    config = folder / "tokenizer_config.json"
    if model not in HF_BACKENDS or not config.is_file():
        return False
    if any(folder.glob("chat_template*")) or (folder / "additional_chat_templates").is_dir():
        return False
    return '"chat_template"' not in config.read_text(encoding="utf-8", errors="replace")


def _describe(lm: Any) -> dict[str, Any]:
    if _is_hf(lm):
        return _describe_hf(lm)
    if is_server(lm):
        return _describe_server(lm)
    raise _UnidentifiedError("unknown kind of model; it may define selfcheck_fingerprint")


def _describe_hf(lm: Any) -> dict[str, Any]:
    if not isinstance(lm.pretrained, str):
        raise _UnidentifiedError("a model object was given, whose weights may change")
    return {
        "files": dict(_hf_files(lm)),
        "weights": _probe(lm.model),
        "config": _plain(lm.model.config.to_dict()),
        "generation": _plain(lm.model.generation_config.to_dict()),
        "tokenizer": [len(lm.tokenizer), lm.tokenizer.special_tokens_map],
        "chat_template": lm.tokenizer.chat_template,
        "settings": {name: getattr(lm, name) for name in HF_SETTINGS},
        "device": lm.device.type,
        "attention": lm.model.config._attn_implementation,
    }


def _describe_server(lm: Any) -> dict[str, Any]:
    if not lm.model or not (lm.base_url or finds_address(lm)):
        raise _UnidentifiedError("it has no address or no model name")
    settings = {name: getattr(lm, name) for name in API_SETTINGS}
    return {
        "url": _plain_address(lm.base_url) if lm.base_url else _provider_addresses(),
        "revision": getattr(lm, "selfcheck_revision", None),
        **settings,
    }


def _provider_addresses() -> dict[str, str]:
    """Give where the environment sends litellm's requests, instead of to the providers' own."""
    return {
        name: _plain_address(value)
        for name, value in sorted(os.environ.items())
        if value and name.endswith(ADDRESS_ENDINGS)
    }


def _hf_files(lm: Any) -> Iterator[tuple[str, Any]]:
    revision = lm.revision or "main"
    model = _locate(lm.pretrained, revision)
    yield "model", _hash_files(model, WEIGHTS, first=True)
    yield "code", _hash_files(model, ("*.py",))
    yield "tokenizer", _hash_files(_locate(lm.tokenizer.name_or_path, revision), TOKENIZER)
    if base := adapter_base(model):  # transformers loads an adapter's folder by itself
        yield "base", _hash_files(_locate(base, "main"), WEIGHTS, first=True)
        yield "own_adapter", _adapter_settings(model)
    if lm.peft:
        adapter = _locate(lm.peft, revision)
        yield "adapter", _hash_files(adapter, ADAPTER_WEIGHTS, first=True)
        yield "adapter_settings", _adapter_settings(adapter)
    if lm.delta:
        yield "delta", _hash_files(_locate(lm.delta, "main"), WEIGHTS, first=True)


def _locate(name: str, revision: str) -> Path:
    if not name:
        raise _UnidentifiedError("its tokenizer was given as an object")
    if Path(name).is_dir():
        return Path(name)
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, revision=revision, local_files_only=True))
    except (OSError, ValueError) as err:
        raise _UnidentifiedError(f"{name} is neither a folder nor in the hub's cache") from err


def _hash_files(folder: Path, patterns: Iterable[str], first: bool = False) -> dict[str, str]:
    """Hash a folder's files by name; with `first` those of the first pattern that fits any."""
    hashes: dict[str, str] = {}
    for pattern in patterns:
        files = sorted(file for file in folder.glob(pattern) if file.is_file())
        hashes |= {file.name: file_sha256(file) for file in files}
        if first and hashes:
            return hashes
    if first:
        raise _UnidentifiedError(f"no weights in {folder}")
    return hashes


def _settings(file: Path) -> Any:
    """Read a configuration without where it is from; None: there is none."""
    if not file.is_file():
        return None
    try:
        told = _plain(json.loads(file.read_text(encoding="utf-8")))
    except (ValueError, RecursionError) as err:
        raise ModelError(f"{file}: cannot be read as a configuration: {err}") from err
    if isinstance(told, dict):
        told.pop("base_model_name_or_path", None)
    return told


def _adapter_settings(folder: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((folder / ADAPTER_CONFIG).read_text(encoding="utf-8"))
    return {key: value for key, value in told.items() if key != "base_model_name_or_path"}


def _probe(model: Any) -> str:
    digest = hashlib.sha256()
    for name, weight in model.named_parameters():
        digest.update(f"{name} {weight.dtype} {tuple(weight.shape)}".encode())
        if weight.device.type != "meta" and weight.numel():
            flat = weight.detach().reshape(-1)
            some = flat[:: max(1, flat.numel() // PROBED)][:PROBED]
            digest.update(repr([_sum_bits(flat), some.float().cpu().tolist()]).encode())
    return digest.hexdigest()


def _sum_bits(flat: Any) -> int:
    """Add the numbers up as integers: exact, in whatever order, and every bit counts."""
    import torch

    whole = flat.view(getattr(torch, f"int{8 * flat.element_size()}"))
    return int(whole.sum(dtype=torch.int64))


def _plain(config: Any) -> Any:
    """Leave out of a configuration where it was loaded from, and by which version."""
    if isinstance(config, Mapping):
        return {
            str(key): _plain(value)
            for key, value in config.items()
            if not str(key).startswith("_") and key != "transformers_version"
        }
    return config


def _as_json(value: Any) -> Any:
    return sorted(map(str, value)) if isinstance(value, (set, frozenset)) else str(value)


def _plain_address(url: str) -> str:
    """Leave out of an address what only opens the door: user, password, keys."""
    parts = urlsplit(url)
    query = [
        (key, value)
        for key, value in parse_qsl(parts.query)
        if not any(word in key.lower() for word in ("key", "token", "secret", "sig"))
    ]
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, urlencode(query), ""))


@lru_cache(maxsize=256)
def _say_once(line: str) -> None:
    log.warning(line)
