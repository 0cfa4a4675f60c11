"""The networks of many pairs as one: two GRU layers whose parameters are stacked over pairs, in torch.

What does not belong here: when a pair has learned enough (`training`), and predictions without torch (`inference`).
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from pairs_platform.core.models.gru.inference import WEIGHT_NAMES, GruWeights
from pairs_platform.core.models.inputs import FEATURES
from pairs_platform.core.models.settings import NetworkSettings

Parameters = dict[str, torch.Tensor]
"""`GruWeights` by name, each with the pairs in front."""


class _StackedGru(torch.autograd.Function):
    """One GRU layer of P pairs with a backward pass of its own.

    Autograd through every step would store and replay thirty small operations per step; here the recursion keeps its
    gates, runs backwards in seven, and leaves all weight gradients to one matrix product at the end.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,
        w_ih: torch.Tensor,
        w_hh: torch.Tensor,
        b_ih: torch.Tensor,
        b_hh: torch.Tensor,
    ) -> torch.Tensor:
        """Outputs (S, P, B, H) for inputs (S, P, B, F) from a zero state."""
        steps, pairs, batch, width = x.shape
        units = w_hh.shape[2]
        flat = x.permute(1, 0, 2, 3).reshape(pairs, steps * batch, width)
        # The hidden biases of reset and update gate only ever appear in a sum with those of the input.
        bias = b_ih.clone()
        bias[:, : 2 * units] += b_hh[:, : 2 * units]
        given = torch.bmm(flat, w_ih.transpose(1, 2)).view(pairs, steps, batch, 3 * units).transpose(0, 1)
        bias = bias.unsqueeze(1)
        gates = given[..., : 2 * units] + bias[..., : 2 * units]
        new = given[..., 2 * units :] + bias[..., 2 * units :]
        out = x.new_empty(steps + 1, pairs, batch, units)
        out[0].zero_()
        hidden = x.new_empty(steps, pairs, batch, units)
        recurrent = x.new_empty(pairs, batch, 3 * units)
        w_hh_t, bias_new = w_hh.transpose(1, 2).contiguous(), b_hh[:, 2 * units :].unsqueeze(1)
        for t in range(steps):
            torch.bmm(out[t], w_hh_t, out=recurrent)
            torch.add(recurrent[..., 2 * units :], bias_new, out=hidden[t])
            gate = gates[t].add_(recurrent[..., : 2 * units]).sigmoid_()
            candidate = new[t].addcmul_(gate[..., :units], hidden[t]).tanh_()
            torch.lerp(candidate, out[t], gate[..., units:], out=out[t + 1])
        ctx.save_for_backward(flat, w_ih, w_hh, out, gates, new, hidden)
        return out[1:]

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """Gradients of inputs and weights."""
        (grad_out,) = gradients
        flat, w_ih, w_hh, out, gates, new, hidden = ctx.saved_tensors
        steps, pairs, batch, units = new.shape
        reset, update = gates[..., :units], gates[..., units:]
        to_update = (out[:-1] - new) * update * (1.0 - update)
        to_new = (1.0 - update) * (1.0 - new * new)
        to_reset = hidden * reset * (1.0 - reset)
        grad_h = torch.zeros_like(out[0])
        back = new.new_empty(steps, pairs, batch, 3 * units)
        grad_new = torch.empty_like(new)
        for t in range(steps - 1, -1, -1):
            grad_h = grad_h + grad_out[t]
            torch.mul(grad_h, to_new[t], out=grad_new[t])
            torch.mul(grad_new[t], to_reset[t], out=back[t, :, :, :units])
            torch.mul(grad_h, to_update[t], out=back[t, :, :, units : 2 * units])
            torch.mul(grad_new[t], reset[t], out=back[t, :, :, 2 * units :])
            grad_h = torch.bmm(back[t], w_hh).addcmul_(grad_h, update[t])

        def by_pair(values: torch.Tensor) -> torch.Tensor:
            return values.permute(1, 0, 2, 3).reshape(pairs, steps * batch, -1)

        into_hidden = by_pair(back)
        into_input = torch.cat([into_hidden[..., : 2 * units], by_pair(grad_new)], dim=2)
        grad_w_hh = torch.bmm(into_hidden.transpose(1, 2), by_pair(out[:-1]))
        grad_w_ih = torch.bmm(into_input.transpose(1, 2), flat)
        grad_x = None
        if ctx.needs_input_grad[0]:
            grad_x = torch.bmm(into_input, w_ih).view(pairs, steps, batch, -1).transpose(0, 1)
        return grad_x, grad_w_ih, grad_w_hh, into_input.sum(dim=1), into_hidden.sum(dim=1)


def initial_parameters(n_pairs: int, settings: NetworkSettings, generator: torch.Generator) -> Parameters:
    """Parameters of `n_pairs` pairs: recurrent ones as torch draws them, uniform within ±1/√H and the same for every
    pair; the output's are zero, so that a network starts as the baseline that it is added to.
    """
    of_pair: Parameters = {}
    for layer, width, units in (("1", len(FEATURES), settings.hidden_1), ("2", settings.hidden_1, settings.hidden_2)):
        bound = 1.0 / math.sqrt(units)
        for name, shape in (
            ("weight_ih", (3 * units, width)),
            ("weight_hh", (3 * units, units)),
            ("bias_ih", (3 * units,)),
            ("bias_hh", (3 * units,)),
        ):
            of_pair[f"{name}_{layer}"] = torch.empty(shape).uniform_(-bound, bound, generator=generator)
    of_pair["weight_out"], of_pair["bias_out"] = torch.zeros(settings.hidden_2), torch.zeros(1)
    return {name: value.unsqueeze(0).repeat(n_pairs, *([1] * value.dim())) for name, value in of_pair.items()}


def logits(
    parameters: Parameters, x: torch.Tensor, masks: tuple[torch.Tensor, torch.Tensor] | None = None
) -> torch.Tensor:
    """What the network adds to the baseline's logit, (S, P, B), at every step of the inputs (S, P, B, 13).

    Parameters
    ----------
    masks : pair of tensors (S, 1, B, H1) and (S, 1, B, H2), optional
        Dropout masks behind the two layers, already divided by the share that is kept; the same for every pair.
    """
    for index, layer in enumerate(("1", "2")):
        names = (f"weight_ih_{layer}", f"weight_hh_{layer}", f"bias_ih_{layer}", f"bias_hh_{layer}")
        x = _StackedGru.apply(x, *(parameters[name] for name in names))
        if masks is not None:
            x = x * masks[index]
    weight = parameters["weight_out"].unsqueeze(1)
    return (x * weight).sum(dim=3) + parameters["bias_out"]


def weights_of(parameters: Mapping[str, torch.Tensor], pair: int) -> GruWeights:
    """The weights of one pair as NumPy arrays."""
    arrays: dict[str, np.ndarray] = {
        name: parameters[name][pair].detach().cpu().numpy().astype(np.float32).copy() for name in WEIGHT_NAMES
    }
    return GruWeights(**arrays)
