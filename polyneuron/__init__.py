"""PolyNeuron: activation functions learned as polyharmonic splines.

Source: A. Hryniowski and A. Wong, PolyNeuron: Automatic Neuron Discovery via Learned Polyharmonic
Spline Activations, 2018. Its equations are cited as Eq. 1-4 throughout; the activations that it is
compared with cite their own papers.

    >>> from polyneuron import make_activation
    >>> make_activation("polyneuron_r", scope="channel", channels=16)
    PolyNeuronR(s=3, k=3, channels=16)

`make_activation` makes a layer by name, `replace_activations` swaps the activation functions of a
whole network, `parameter_groups` keeps weight decay off the new ones, and `penalties` are the terms
of Eq. 4 for its loss. `python -m polyneuron.show` draws functions.
`polyneuron.testing` holds the tests that an activation of one's own should pass.

Notation
--------
    y = sum_i w_i U_k(|x - c_i|) + v_0 x + v_1                                          (Eq. 1)
    U_k(r) = r^k for odd k, r^k log r for even k, U_k(0) = 0                            (Eq. 3)

========  ===========  ============================================================================
symbol    shape        meaning
========  ===========  ============================================================================
A                      number of activation functions of a layer, by its scope: 1 ("layer"), its
                       channels ("channel"), or its neurons ("neuron"); in Eq. 4, of a network
s                      number of control points of a function
k                      order of the polyharmonic basis U_k
x, y      (N, C, ...)  input and output of a layer, N samples of C channels; any shape with A = 1
c_x, c_y  (A, s)       control points: abscissas in any order, and heights; c_i stands for c_x[a, i]
w         (A, s)       weights
v         (A, 2)       slope v_0 and offset v_1
d, r      any          signed distance x - c_i and distance |x - c_i|
m         (A, s)       slopes of a spline at its control points, or knots
lambda    numbers      strengths of Eq. 4's terms: lambda_sum and lambda_prod
========  ===========  ============================================================================

`PolyNeuron` learns c_x and c_y. Its w and v solve Eq. 2: the function passes through its control
points, and sum_i w_i = sum_i w_i c_i = 0. `PolyNeuronR` learns c_x, w and v freely. In place of the
two constraints, Eq. 4 adds the means of |sum_i w_i| and |sum_i w_i c_i| over all functions of a
network to its loss.

Which s and k are sound
-----------------------
s = 1 is refused: Eq. 2 is singular. s = 2 is a straight line, and a network of them is linear. An
even s has no point at ReLU's kink. Coefficients cost O(s) for k = 3 and O(s^3) for other k.

With distinct control points:

=====  ===================  ==========================================  ==========================
k      Eq. 2                tails of PolyNeuron                         rescaling the points
=====  ===================  ==========================================  ==========================
1      always solvable      one and the same line on both sides         rescales the function
2      always solvable      one slope on both sides, plus O(log |x|)    rescales the function
3      always solvable      two independent straight lines              rescales the function
4      singular at exactly  grow like x^2 log |x|                       gives another function
       one scale
5      always solvable      grow like |x|^3                             rescales the function
6      singular at 1 to 3   grow like x^4 log |x|                       gives another function
       scales
7      no singular case is  grow like |x|^5                             rescales the function
       known
=====  ===================  ==========================================  ==========================

So k = 3 is the one order whose two tails are straight and independent, as ReLU's are. It is the
natural cubic spline, and is evaluated as such. Three points with gaps h are singular at
h = 2^(-4/3) for k = 4 and at h = 2^(-16/15) for k = 6: a start with gaps of 1 meets these scales
when its points draw together. Points closer than 1e-6 of their span count as one, for every k.

A system without a unique solution raises `SingularSystemError`. `solve_isolated` marks it instead,
and solves the rest of a batch.

PolyNeuronR's tails grow like |x|^k unless its sums vanish. Eq. 4 divides by A: the more functions
there are, the weaker the same lambda pulls on each, so choose lambda for the scope in use.

In float32, `PolyNeuron` with k = 3 is exact to a few units in the last place for any s and x. Other
k and `PolyNeuronR` sum Eq. 1, whose terms cancel where they are large: with s = k = 3 at the start,
`PolyNeuronR` is off by 1 % at |x| = 1000 and by a quarter at 10,000, and k = 5 is unusable from
s = 17 on. Half precision is widened to float32 inside.
"""

from polyneuron.activations import (
    activation_class,
    activation_modules,
    activation_names,
    activation_options,
    activation_parameters,
    is_learned,
    make_activation,
)
from polyneuron.activations.activation import Activation
from polyneuron.activations.apl import APL
from polyneuron.activations.polyneuron import PolyNeuron
from polyneuron.activations.polyneuron_ordered import PolyNeuronOrdered
from polyneuron.activations.polyneuron_r import PolyNeuronR
from polyneuron.activations.relu import ReLU
from polyneuron.activations.swish import Swish
from polyneuron.basis import basis, basis_derivative
from polyneuron.initialization import PolyNeuronWarning
from polyneuron.joint_solve import JointSolve
from polyneuron.kernels import evaluate
from polyneuron.memory import keep_freed_memory
from polyneuron.normalised import normalised_activation
from polyneuron.parameter_groups import parameter_groups
from polyneuron.penalties import penalties
from polyneuron.replacement import replace_activations
from polyneuron.stages import Chain, pooled_activation
from polyneuron.system import SingularSystemError, solve_coefficients, solve_isolated

__all__ = [
    "APL",
    "Activation",
    "Chain",
    "JointSolve",
    "PolyNeuron",
    "PolyNeuronOrdered",
    "PolyNeuronR",
    "PolyNeuronWarning",
    "ReLU",
    "SingularSystemError",
    "Swish",
    "activation_class",
    "activation_modules",
    "activation_names",
    "activation_options",
    "activation_parameters",
    "basis",
    "basis_derivative",
    "evaluate",
    "is_learned",
    "keep_freed_memory",
    "make_activation",
    "normalised_activation",
    "parameter_groups",
    "penalties",
    "pooled_activation",
    "replace_activations",
    "solve_coefficients",
    "solve_isolated",
]
