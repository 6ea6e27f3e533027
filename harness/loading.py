"""Models of lm-eval's, loaded by name; what can be known to be wrong is said before."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from harness.errors import ConfigError, ModelError, unknown
from harness.model_files import fault_in, names_in
from harness.models import (
    HF_BACKENDS,
    finds_address,
    is_server,
    lacks_chat_template,
    resolve_model_args,
)
from harness.trust import check_places, explained, hub_settings, only_numbers

DEVICE = "cuda:0"  # lm-eval's command has it, too: where there is none it takes the CPU
NO_CHAT_TEMPLATE = (
    "a chat template was asked for (--apply_chat_template; of a simulator "
    "--simulator-chat-template), but the model gives none: {}. Leave the option out, or add a "
    "chat_template to its tokenizer."
)


def check_backend(model: str) -> None:
    """Check that lm-eval has such a backend.

    Raises:
        ConfigError: it has none.
    """
    import lm_eval.models  # noqa: F401  (registers the backends)
    from lm_eval.api.registry import model_registry

    if model not in model_registry:
        raise ConfigError(unknown("model", model, model_registry.keys()))


def load(
    model: str,
    args: Mapping[str, Any],
    *,
    chat_template: bool,
    batch_size: int | str = "auto",
    device: str | None = None,
) -> Any:
    """Load a model.

    Args:
        model: lm-eval's name of the backend.
        args: the backend's arguments; `pretrained` may be an adapter's folder.
        chat_template: whether it will be asked through one.
        batch_size, device: unless `args` have them; None: `DEVICE`.

    Raises:
        ConfigError: lm-eval has no such backend, or a server's address or model is not given.
        ModelError: it cannot be loaded; the cause is chained. So is one whose weights are pickles
            (`harness.trust`).
    """
    from lm_eval.api.registry import get_model

    check_backend(model)
    given = resolve_model_args(model, args)
    check_places(given)
    if chat_template and lacks_chat_template(model, given):
        raise ModelError(NO_CHAT_TEMPLATE.format("its tokenizer's files hold none"))
    settings = {"batch_size": batch_size, "device": device or DEVICE}
    own = {name: given.pop(name) for name in settings if name in given}
    try:
        with only_numbers():
            lm = get_model(model).create_from_arg_obj(
                _distrusted(model, given), {**settings, **own}
            )
    except (ConfigError, ModelError):
        raise
    except Exception as err:
        place = fault_in(given) or names_in(given) or "no name given"
        raise ModelError(f"model {model!r} cannot be loaded: {place}: {explained(err)}") from err
    if is_server(lm) and not (lm.model and (lm.base_url or finds_address(lm))):
        lacking = "base_url" if lm.model else "model"
        raise ConfigError(f"model {model!r} needs {lacking}=... among its arguments")
    lm.selfcheck_revision = given.get("revision")  # lm-eval's servers forget it
    return lm


def _distrusted(model: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Add what keeps a backend from running what a model's repository holds."""
    if model in HF_BACKENDS:
        return {**given, **hub_settings(str(given.get("pretrained")), given)}
    return {"trust_remote_code": False, **given} if model == "sglang" else dict(given)


def require_chat_template(render: Callable[..., Any] | None) -> None:
    """Try the model's chat template before anything is asked.

    Raises:
        ModelError: it has none, or cannot render a single turn with it.
    """
    try:
        if render is None:
            raise ValueError("this backend renders no chat templates")
        render([{"role": "user", "content": "?"}], add_generation_prompt=True)
    except Exception as err:
        raise ModelError(NO_CHAT_TEMPLATE.format(err)) from err
