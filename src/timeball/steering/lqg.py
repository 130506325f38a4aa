"""LQG: the steer that costs least in offset, rate and change of rate together.

State and steer as in `pole_placement`: x' = x + τ (y + u), y' = y + u. Least is the mean of

    (x / offset_s)² + (y / rate)² + (u / change)²

so each of the three is told by the size that hurts as much as the others. The mean of x² is that over all time, not at
the steers alone: while a rate v = y + u holds, x̄² = x² + x v τ + v² τ²/3. The steer is u = −(g_x x + g_y y) with
G = (BᵀKB + W_R)⁻¹ (BᵀKΦ + Nᵀ) and K from the discrete Riccati equation (Koppang and Leland, IEEE Trans. UFFC 46, 1999;
N are the products of state and steer). By the separation principle the gains stand for themselves: x and y are the best
estimates there are, and their noise does not enter. The equation is solved by doubling (Chu, Fan, Lin and Wang, Int. J.
Control 77, 2004), of + − × ÷ alone, so that a recorded steer replays bit for bit. It knows no limits and estimates
nothing.
"""

from __future__ import annotations

import msgspec

DAY_S = 86_400.0
# Each doubling squares what is left to converge: 2⁶⁰ steps of the plain recursion settle anything.
DOUBLINGS = 60


class LQG(msgspec.Struct, frozen=True):
    """The control law for one steering interval and one notion of what hurts.

    Attributes
    ----------
    interval_s : float
        τ, the time from one steer to the next, s.
    offset_s : float
        Offset that hurts as much as a change of rate of `change`, s.
    change : float
        Change of rate in one steer; a smaller one makes a calmer law.
    rate : float or None
        Rate that hurts as much; None when only the offset counts.

    Raises
    ------
    ValueError
        If one of them is not a positive finite number.
    """

    interval_s: float
    offset_s: float
    change: float
    rate: float | None = None

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if value is not None and not 0.0 < value < float("inf"):
                raise ValueError(f"LQG: {name} = {value!r} is not a positive number")

    @property
    def gains(self) -> tuple[float, float]:
        """g_x in 1/s and g_y, dimensionless."""
        weight_x = (self.change * self.interval_s / self.offset_s) * (self.change * self.interval_s / self.offset_s)
        weight_y = 0.0 if self.rate is None else (self.change / self.rate) * (self.change / self.rate)
        gain_x, gain_y = _gains(weight_x, weight_y)
        return gain_x / self.interval_s, gain_y

    @property
    def gain_x(self) -> float:
        """g_x in 1/s."""
        return self.gains[0]

    @property
    def gain_y(self) -> float:
        """g_y, dimensionless."""
        return self.gains[1]

    def correction(self, x_s: float, y: float) -> float:
        """Change of rate u = −(g_x x + g_y y) for an offset `x_s` (s) and a rate `y` of UTC(k) − UTC."""
        gain_x, gain_y = self.gains
        return -(gain_x * x_s + gain_y * y)

    @property
    def words(self) -> str:
        """What the law is after, for the sentence of a proposal."""
        text = f"to hold it at least cost ({self.offset_s * 1e9:g} ns weigh as much as a step of {self.change:.1e}"
        return text + (")" if self.rate is None else f" or a rate of {self.rate:.1e})")


def _gains(weight_x: float, weight_y: float) -> tuple[float, float]:
    """Gains for x in units of τ: Φ = [[1, 1], [0, 1]], B = [1, 1], and u itself weighs 1."""
    # The cost of one interval, weight_x (x² + x v + v²/3) + weight_y v² + u² with v = y + u.
    n1, n2 = weight_x / 2.0, weight_x / 3.0 + weight_y
    r = 1.0 + n2
    # u = w − (n1 x + n2 y)/r leaves no product of state and steer.
    a = (1.0 - n1 / r, 1.0 - n2 / r, -n1 / r, 1.0 - n2 / r)
    k11, k12, k22 = _riccati(a, 1.0 / r, (weight_x - n1 * n1 / r, n1 - n1 * n2 / r, n2 - n2 * n2 / r))
    cost = k11 + 2.0 * k12 + k22 + r
    to_x, to_y = k11 + k12, k12 + k22
    return (to_x + n1) / cost, (to_x + to_y + n2) / cost


def _riccati(
    a: tuple[float, float, float, float], g: float, q: tuple[float, float, float]
) -> tuple[float, float, float]:
    """K11, K12, K22 of K = Q + AᵀK(1 + GK)⁻¹A with A by rows, G = g [[1, 1], [1, 1]] and Q as Q11, Q12, Q22."""
    a11, a12, a21, a22 = a
    g11, g12, g22 = g, g, g
    h11, h12, h22 = q
    for _ in range(DOUBLINGS):
        # W = (1 + G H)⁻¹
        m11, m12 = 1.0 + g11 * h11 + g12 * h12, g11 * h12 + g12 * h22
        m21, m22 = g12 * h11 + g22 * h12, 1.0 + g12 * h12 + g22 * h22
        det = m11 * m22 - m12 * m21
        w11, w12, w21, w22 = m22 / det, -m12 / det, -m21 / det, m11 / det
        # V = W G and U = H W, both symmetric
        v11, v12, v22 = w11 * g11 + w12 * g12, w11 * g12 + w12 * g22, w21 * g12 + w22 * g22
        u11, u12, u22 = h11 * w11 + h12 * w21, h11 * w12 + h12 * w22, h12 * w12 + h22 * w22
        # G + A V Aᵀ, H + Aᵀ U A, A W A
        p11, p12, p21, p22 = a11 * v11 + a12 * v12, a11 * v12 + a12 * v22, a21 * v11 + a22 * v12, a21 * v12 + a22 * v22
        q11, q12, q21, q22 = a11 * u11 + a21 * u12, a11 * u12 + a21 * u22, a12 * u11 + a22 * u12, a12 * u12 + a22 * u22
        b11, b12, b21, b22 = a11 * w11 + a12 * w21, a11 * w12 + a12 * w22, a21 * w11 + a22 * w21, a21 * w12 + a22 * w22
        before = h11, h12, h22
        g11, g12, g22 = g11 + p11 * a11 + p12 * a12, g12 + p11 * a21 + p12 * a22, g22 + p21 * a21 + p22 * a22
        h11, h12, h22 = h11 + q11 * a11 + q12 * a21, h12 + q11 * a12 + q12 * a22, h22 + q21 * a12 + q22 * a22
        a11, a12, a21, a22 = (
            b11 * a11 + b12 * a21,
            b11 * a12 + b12 * a22,
            b21 * a11 + b22 * a21,
            b21 * a12 + b22 * a22,
        )
        if (h11, h12, h22) == before:
            break
    return h11, h12, h22
