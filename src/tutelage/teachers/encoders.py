"""Encoders of text as stages: embeddings, each layer, pooling; the mask travels in the activation.

They are built by transformers from the numbers of a configuration: no code of a repository is ever run. The bytes
of the tokenizer are a buffer of the embeddings, so that they travel with the weights everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from tutelage.errors import TeacherError, missing_extra
from tutelage.network.stages import Activation, Network, Stage
from tutelage.network.taps import masked_mean
from tutelage.teachers.blueprint import Blueprint

if TYPE_CHECKING:
    from transformers import PretrainedConfig

TOKENIZER = "tokenizer"
"""Name of the buffer that holds the bytes of ``tokenizer.json``."""


class Embed(nn.Module):
    """Tokens -> vectors; where there is no token stands the one for padding, which some families count by."""

    def __init__(self, tokenizer: Tensor, padding: int, *modules: nn.Module) -> None:
        super().__init__()
        self.register_buffer(TOKENIZER, tokenizer)
        self.embeddings = nn.ModuleList(modules)
        self.padding = padding

    def forward(self, activation: Activation) -> Activation:
        """``{"x": (N, T) integers, "mask": (N, T)}`` -> ``{"x": (N, T, D), "mask"}``."""
        x = activation["x"].long().masked_fill(activation["mask"] == 0, self.padding)
        for module in self.embeddings:
            x = module(x)
        return {**activation, "x": x}


class Layer(nn.Module):
    """One layer; every place sees those that the mask leaves in."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, activation: Activation) -> Activation:
        """``{"x": (N, T, D), "mask": (N, T)}`` -> the same."""
        seen = (activation["mask"] > 0)[:, None, None, :]
        x = self.layer(activation["x"], seen)
        return {**activation, "x": x[0] if isinstance(x, tuple) else x}


class MeanOfTokens(nn.Module):
    """The mean over true places; the mask ends here."""

    def forward(self, activation: Activation) -> Activation:
        """``{"x": (N, T, D), "mask": (N, T)}`` -> ``{"x": (N, D)}``."""
        return {"x": masked_mean(activation["x"], activation["mask"])}


class FirstToken(nn.Module):
    """The first place, where a family gathers what it says of the whole; the mask ends here."""

    def forward(self, activation: Activation) -> Activation:
        """``{"x": (N, T, D), "mask": (N, T)}`` -> ``{"x": (N, D)}``."""
        return {"x": activation["x"][:, 0]}


class Whole(nn.Module):
    """An encoder that nobody described, run whole."""

    def __init__(self, body: nn.Module, tokenizer: Tensor, padding: int) -> None:
        super().__init__()
        self.register_buffer(TOKENIZER, tokenizer)
        self.body, self.padding = body, padding

    def forward(self, activation: Activation) -> Activation:
        """``{"x": (N, T) integers, "mask": (N, T)}`` -> ``{"x": (N, T, D), "mask"}``."""
        ids = activation["x"].long().masked_fill(activation["mask"] == 0, self.padding)
        x = self.body(input_ids=ids, attention_mask=activation["mask"].long()).last_hidden_state
        return {**activation, "x": x}


POOLING: dict[str, Callable[[], nn.Module]] = {"mean": MeanOfTokens, "first": FirstToken}

Parts = Callable[[Any], tuple[list[nn.Module], list[nn.Module]]]


def _bert(body: Any) -> tuple[list[nn.Module], list[nn.Module]]:
    entrance = [body.embeddings]
    if hasattr(body, "embeddings_project"):
        entrance.append(body.embeddings_project)
    return entrance, list(body.encoder.layer)


def _distilbert(body: Any) -> tuple[list[nn.Module], list[nn.Module]]:
    return [body.embeddings], list(body.transformer.layer)


FAMILIES: Mapping[str, Parts] = {
    **dict.fromkeys(("bert", "roberta", "xlm-roberta", "camembert", "electra"), _bert),
    "distilbert": _distilbert,
}
"""Kind of an encoder -> what makes vectors of tokens, and the layers after it."""


def build(blueprint: Blueprint) -> Network:
    """The untrained encoder of an architecture ``transformers:KIND``, in eval mode; its tokenizer is blank.

    Raises:
        UsageError: the package is not installed.
        TeacherError: the installed version does not know that kind.
    """
    args = dict(blueprint.args)
    size, pooling = int(args.pop(TOKENIZER)["bytes"]), str(args.pop("pooling"))
    body = made(configured(blueprint.name, args)).eval()
    body.register_buffer(TOKENIZER, torch.zeros(size, dtype=torch.uint8))
    return staged(body, blueprint, pooling)


def staged(body: Any, blueprint: Blueprint, pooling: str) -> Network:
    """An encoder as stages: its family's, or one alone."""
    padding = int(getattr(body.config, "pad_token_id", 0) or 0)
    tokenizer: Tensor = getattr(body, TOKENIZER)
    last = Stage("pool", POOLING[pooling]())
    family = FAMILIES.get(blueprint.name)
    if family is None or blueprint.cuts == "none":
        return Network(body, (Stage("features", Whole(body, tokenizer, padding)), last))
    entrance, layers = family(body)
    rungs = [Stage(f"layer.{number}", Layer(layer)) for number, layer in enumerate(layers, 1)]
    return Network(body, (Stage("embeddings", Embed(tokenizer, padding, *entrance)), *rungs, last))


def configured(kind: str, args: Mapping[str, Any]) -> PretrainedConfig:
    """The configuration of a kind that transformers itself knows.

    Raises:
        UsageError: the package is not installed.
        TeacherError: it knows no such kind, or refuses the numbers.
    """
    try:
        from transformers import AutoConfig, logging
    except ImportError as error:
        raise missing_extra("text", "transformers", "a teacher for texts") from error
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    try:
        config: PretrainedConfig = AutoConfig.for_model(kind, **args)
    except (ValueError, TypeError, KeyError) as error:
        raise TeacherError(
            "unknown-architecture", given=f"an encoder of kind {kind}: {str(error).splitlines()[0][:200]}",
            expected="a kind that transformers knows; code of a repository is not run",
            next="Take another teacher; or: pip install --upgrade transformers",
        ) from error  # fmt: skip
    return config


def made(config: PretrainedConfig) -> Any:
    """The bare encoder of a configuration, with random values, without the pooler that was trained beside it."""
    from transformers import AutoModel

    make: Callable[..., Any] = AutoModel.from_config
    for extra in ({"add_pooling_layer": False}, {}):
        try:
            return make(config, attn_implementation="sdpa", **extra)
        except TypeError:
            continue
        except ValueError:
            return make(config, attn_implementation="eager", **extra)
    raise AssertionError("from_config takes no further argument")
