"""The graph that ONNX holds, computed by PyTorch.

It knows the operators that the program writes, and nothing of problems and networks.
"""

from __future__ import annotations

from typing import Any, Callable

import onnx
import torch

_OPERATORS: dict[str, Callable[..., torch.Tensor]] = {
    "Abs": torch.abs,
    "Acos": torch.acos,
    "Add": torch.add,
    "Asin": torch.asin,
    "Atan": torch.atan,
    "Concat": lambda *columns: torch.cat(columns, dim=1),
    "Cos": torch.cos,
    "Div": torch.div,
    "Erf": torch.erf,
    "Exp": torch.exp,
    "Gather": lambda rows, columns: rows.index_select(1, columns),
    "Gemm": lambda rows, weights, biases=None: torch.nn.functional.linear(rows, weights, biases),
    "Identity": lambda a: a,
    "Less": torch.less,
    "Log": torch.log,
    "Max": torch.maximum,
    "Min": torch.minimum,
    "Mul": torch.mul,
    "Neg": torch.neg,
    "Pow": torch.pow,
    "Sign": torch.sign,
    "Sin": torch.sin,
    "Sqrt": torch.sqrt,
    "Sub": torch.sub,
    "Tanh": torch.tanh,
    "Where": torch.where,
}
"""Attributes are the ones that the program gives: columns are along axis 1, and weights are (outputs, inputs)."""


class Module(torch.nn.Module):
    """A graph of ONNX from ``coordinates`` (n, d) to ``unknowns`` (n, unknowns)."""

    def __init__(self, model: bytes) -> None:
        super().__init__()
        graph = onnx.load_from_string(model).graph
        self._steps = [(node.op_type, list(node.input), node.output[0]) for node in graph.node]
        for each in graph.initializer:
            array = torch.from_numpy(onnx.numpy_helper.to_array(each).copy())
            # Trained are weights, biases and factors; a number alone belongs to a formula.
            if array.is_floating_point() and array.ndim > 0:
                self.register_parameter(each.name, torch.nn.Parameter(array))
            else:
                self.register_buffer(each.name, array)

    def forward(self, points: Any) -> torch.Tensor:
        """``points``: (n, d), in the precision of the parameters; the unknowns come back as (n, unknowns)."""
        known: dict[str, torch.Tensor] = {"coordinates": points, **dict(self.named_parameters()), **dict(self.named_buffers())}
        for operator, inputs, output in self._steps:
            known[output] = _OPERATORS[operator](*(known[name] for name in inputs))
        return known["unknowns"]
