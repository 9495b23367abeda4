"""Formulas as problem files have them, from strings, numbers and SymPy's expressions."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, Union

import numpy as np

Formula = Union[str, int, float, Any]
"""A string in the language of problem files, a number, or a SymPy expression or equation."""

_FUNCTIONS = {
    "sin": "sin", "cos": "cos", "tan": "tan", "sec": "sec", "csc": "csc", "cot": "cot", "asin": "asin", "acos": "acos",
    "atan": "atan", "atan2": "atan2", "sinh": "sinh", "cosh": "cosh", "tanh": "tanh", "sech": "sech", "csch": "csch",
    "coth": "coth", "asinh": "asinh", "acosh": "acosh", "atanh": "atanh", "exp": "exp", "log": "ln", "Abs": "abs",
    "sign": "sign", "Heaviside": "step", "erf": "erf", "erfc": "erfc", "Min": "min", "Max": "max",
}  # fmt: skip


def is_sympy(value: Any) -> bool:
    """Is it an expression of SymPy? That is not imported where nobody else has."""
    sympy = sys.modules.get("sympy")
    return sympy is not None and isinstance(value, sympy.Basic)


def formula(value: Formula, coordinates: Sequence[str] = (), tables: Sequence[str] = ()) -> str:
    """The formula as a string; an equation is its left side less its right one.

    What SymPy calls an undefined function is an unknown of ``coordinates``, or one of the ``tables``.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{value} is no formula")
    if isinstance(value, (int, float, np.integer, np.floating)):
        if not np.isfinite(value):
            raise ValueError(f"{value} is no number of a formula")
        return repr(value.item() if isinstance(value, np.generic) else value)
    if is_sympy(value):
        return _from_sympy(value, coordinates, tables)
    raise TypeError(f"a formula is a string, a number or an expression of SymPy, and not {type(value).__name__}")


def _from_sympy(expression: Any, coordinates: Sequence[str], tables: Sequence[str]) -> str:
    import sympy
    from sympy.printing.str import StrPrinter

    class Printer(StrPrinter):  # type: ignore[misc]
        """SymPy's own rules for parentheses, with the names of problem files."""

        def _print_Pow(self, expr: Any, rational: bool = False) -> str:
            text: str = super()._print_Pow(expr, rational)
            return text.replace("**", "^")

        def _print_Exp1(self, expr: Any) -> str:
            return "exp(1)"

        def _print_Float(self, expr: Any) -> str:
            return repr(float(expr))

        def _print_Derivative(self, expr: Any) -> str:
            of, wanted = expr.expr, [str(v) for v, count in expr.variable_count for _ in range(int(count))]
            name = of.func.__name__
            if not isinstance(of, sympy.core.function.AppliedUndef):
                raise ValueError(f"the derivative of {of} cannot be written; call doit() on it")
            short = all(len(v) == 1 for v in wanted)
            suffix = "".join(wanted) if short else "_".join(wanted)
            return self._applied(of, f"{name}_{suffix}")

        def _applied(self, of: Any, name: str) -> str:
            arguments = [self._print(argument) for argument in of.args]
            if of.func.__name__ in tables:
                return f"{name}({', '.join(arguments)})"
            if any(argument not in coordinates for argument in arguments):
                raise ValueError(f"{of} cannot be written: where a condition holds is said by its place")
            return name

        def _print_Function(self, expr: Any) -> str:
            name = expr.func.__name__
            if isinstance(expr, sympy.core.function.AppliedUndef):
                return self._applied(expr, name)
            known = _FUNCTIONS.get(name)
            if known is None:
                raise ValueError(f"problem files have no function {name}")
            # SymPy's step has its value at zero as a second argument.
            arguments = expr.args[:1] if name == "Heaviside" else expr.args
            return f"{known}({', '.join(self._print(argument) for argument in arguments)})"

        _print_Abs = _print_sign = _print_Heaviside = _print_Min = _print_Max = _print_Function
        _print_ExpBase = _print_LatticeOp = _print_Function

        def emptyPrinter(self, expr: Any) -> str:
            raise ValueError(f"problem files have nothing like {type(expr).__name__}")

        _print_Integral = _print_Limit = _print_Piecewise = _print_Product = _print_Subs = _print_Sum = emptyPrinter
        _print_ComplexInfinity = _print_ImaginaryUnit = _print_Infinity = _print_NaN = _print_NegativeInfinity = emptyPrinter

    if isinstance(expression, sympy.Equality):
        expression = expression.lhs - expression.rhs
    if not isinstance(expression, sympy.Expr):
        raise TypeError(f"{expression} is no expression of SymPy that has a value")
    text: str = Printer({"order": "none"}).doprint(expression.doit())
    return text
