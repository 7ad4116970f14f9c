"""The solver behind `fit_landmarks`: batched Levenberg-Marquardt over rotation, translation, scale and shape.

The residual of landmark l is p_l - q_l with p the scaled orthographic projection (docs/conventions.md). A rotation is
updated as R <- exp([w]) R, so its derivative is that of Y = R X under a turn w, dY = w x Y: no axis-angle, and hence no
singular turn, until the end. Each face has its own damping; a face that has converged leaves the batch.
"""

from __future__ import annotations

import dataclasses
import math

import torch

from stn3dmm_cuda import axis_angle_to_matrix

MAXIMUM_ITERATIONS = 300
RELATIVE_DECREASE = 1e-15  # of the cost, predicted: below it double precision cannot see the next step
ABSOLUTE_DECREASE = 1e-18  # pixels squared, for faces that fit exactly
START_YAWS = (0.0, -math.pi / 3, math.pi / 3)


@dataclasses.dataclass(frozen=True, eq=False)
class Problem:
    """Landmark fitting of B faces with one model; everything float64."""

    mean: torch.Tensor  # (L, 3) model units
    basis: torch.Tensor  # (K, L, 3) model units per unit of alpha
    target: torch.Tensor  # (B, L, 2) pixels, anything finite where the weight is 0
    weight: torch.Tensor  # (B, L) 0 or 1
    prior_weight: float  # pixels squared

    def select(self, faces: torch.Tensor) -> Problem:
        """The same problem for some of the faces."""
        return dataclasses.replace(self, target=self.target[faces], weight=self.weight[faces])


@dataclasses.dataclass(frozen=True, eq=False)
class State:
    """Where the search stands."""

    rotation: torch.Tensor  # (B, 3, 3)
    rest: torch.Tensor  # (B, 3 + K): t (pixels), log s, alpha

    def select(self, faces: torch.Tensor) -> State:
        """The states of some of the faces."""
        return State(self.rotation[faces], self.rest[faces])

    def step(self, delta: torch.Tensor) -> State:
        """The state after the step (B, 6 + K): a turn w in radians, then t, log s, alpha."""
        return State(axis_angle_to_matrix(delta[:, :3].contiguous()) @ self.rotation, self.rest + delta[:, 3:])


def minimise(problem: Problem) -> tuple[torch.Tensor, torch.Tensor]:
    """theta (B, 6 + K) of the lowest minimum over all starts, and the mean pixel error (B,) over weighted landmarks."""
    starts = _starts(problem)
    S, B = len(starts), len(problem.target)
    repeated = dataclasses.replace(problem, target=problem.target.repeat(S, 1, 1), weight=problem.weight.repeat(S, 1))
    together = State(torch.cat([start.rotation for start in starts]), torch.cat([start.rest for start in starts]))
    final = _descend(repeated, together)
    cost = _cost(repeated, final).reshape(S, B)
    # The first of equal minima, so that rounding does not decide between starts that meet.
    close = cost <= cost.amin(dim=0) * (1 + 1e-9) + 1e-12
    winner = close.to(torch.uint8).argmax(dim=0)
    best = final.select(winner * B + torch.arange(B, device=winner.device))
    distance = (_project(problem, best) - problem.target).norm(dim=-1) * problem.weight
    error = distance.sum(dim=1) / problem.weight.sum(dim=1)
    return torch.cat([matrix_to_axis_angle(best.rotation), best.rest], dim=1), error


def matrix_to_axis_angle(rotation: torch.Tensor) -> torch.Tensor:
    """Rotations (B, 3, 3) as axis-angle vectors (B, 3), |r| <= pi: by way of the quaternion, accurate at 0 and pi.

    The unit quaternion is the eigenvector for the largest eigenvalue of a symmetric 4 x 4 matrix (Bar-Itzhack, New
    method for extracting the quaternion from a rotation matrix, 2000).
    """
    R = rotation
    trace = R.diagonal(dim1=1, dim2=2).sum(-1)
    turn = torch.stack([R[:, 2, 1] - R[:, 1, 2], R[:, 0, 2] - R[:, 2, 0], R[:, 1, 0] - R[:, 0, 1]], dim=1)
    symmetric = R.new_zeros(len(R), 4, 4)
    symmetric[:, :3, :3] = R + R.transpose(1, 2) - trace[:, None, None] * torch.eye(3, dtype=R.dtype, device=R.device)
    symmetric[:, :3, 3] = turn
    symmetric[:, 3, :3] = turn
    symmetric[:, 3, 3] = trace
    quaternion = torch.linalg.eigh(symmetric).eigenvectors[..., -1]
    quaternion = torch.where(quaternion[:, 3:] < 0, -quaternion, quaternion)
    sine = quaternion[:, :3].norm(dim=1, keepdim=True)
    angle = 2 * torch.atan2(sine, quaternion[:, 3:])
    return quaternion[:, :3] * torch.where(sine > 1e-12, angle / sine.clamp_min(1e-12), torch.full_like(sine, 2.0))


def _shape(problem: Problem, state: State) -> torch.Tensor:
    """R X of the landmarks, (B, L, 3) model units."""
    alpha = state.rest[:, 3:]
    vertices = problem.mean + torch.einsum("bk,kld->bld", alpha, problem.basis)
    return vertices @ state.rotation.transpose(1, 2)


def _project(problem: Problem, state: State) -> torch.Tensor:
    """The landmarks in the image, (B, L, 2) pixels."""
    return _project_turned(_shape(problem, state), state)


def _project_turned(turned: torch.Tensor, state: State) -> torch.Tensor:
    flip = turned.new_tensor([1.0, -1.0])
    return state.rest[:, None, 2:3].exp() * turned[..., :2] * flip + state.rest[:, None, :2]


def _cost(problem: Problem, state: State) -> torch.Tensor:
    """Weighted squared pixels plus prior, (B,)."""
    squared = (_project(problem, state) - problem.target).square().sum(-1)
    return (squared * problem.weight).sum(1) + problem.prior_weight * state.rest[:, 3:].square().sum(1)


def _linearise(problem: Problem, state: State) -> tuple[torch.Tensor, torch.Tensor]:
    """Gauss-Newton: half the Hessian (B, 6 + K, 6 + K) and half the gradient (B, 6 + K) of the cost."""
    turned = _shape(problem, state)
    B, L, _ = turned.shape
    K = len(problem.basis)
    scale = state.rest[:, 2].exp()[:, None, None]
    x, y, z = (scale * turned).unbind(-1)
    J = turned.new_zeros(B, L, 2, 6 + K)
    J[:, :, 0, 1], J[:, :, 0, 2] = z, -y
    J[:, :, 1, 0], J[:, :, 1, 2] = z, -x
    J[:, :, 0, 3] = 1.0
    J[:, :, 1, 4] = 1.0
    J[:, :, 0, 5], J[:, :, 1, 5] = x, -y
    modes = torch.einsum("bij,klj->blik", state.rotation[:, :2] * scale, problem.basis)
    J[:, :, 0, 6:] = modes[:, :, 0]
    J[:, :, 1, 6:] = -modes[:, :, 1]
    J *= problem.weight[:, :, None, None]
    J = J.reshape(B, 2 * L, 6 + K)
    residual = ((_project_turned(turned, state) - problem.target) * problem.weight[..., None]).reshape(B, 2 * L, 1)
    hessian = J.transpose(1, 2) @ J
    gradient = (J.transpose(1, 2) @ residual).squeeze(-1)
    hessian[:, range(6, 6 + K), range(6, 6 + K)] += problem.prior_weight
    gradient[:, 6:] += problem.prior_weight * state.rest[:, 3:]
    return hessian, gradient


def _descend(problem: Problem, start: State) -> State:
    """Levenberg-Marquardt with Marquardt's scaling from each start until no step is worth taking."""
    rotation, rest = start.rotation.clone(), start.rest.clone()
    active = torch.arange(len(rest), device=rest.device)
    damping = torch.full((len(rest),), 1e-2, dtype=rest.dtype, device=rest.device)
    for _ in range(MAXIMUM_ITERATIONS):
        if not len(active):
            break
        part, state, damping_now = problem.select(active), State(rotation[active], rest[active]), damping[active]
        hessian, gradient = _linearise(part, state)
        cost = _cost(part, state)
        delta, decrease = _damped_step(hessian, gradient, damping_now)
        candidate = state.step(delta)
        cost_after = _cost(part, candidate)
        # Comparisons with NaN are false: a step that leaves the range of double precision is refused.
        taken = cost_after <= cost * (1 + RELATIVE_DECREASE)
        rotation[active[taken]], rest[active[taken]] = candidate.rotation[taken], candidate.rest[taken]
        damping[active] = torch.where(taken, damping_now / 5, damping_now * 4).clamp(1e-12, 1e20)
        finished = (taken & (decrease <= RELATIVE_DECREASE * cost + ABSOLUTE_DECREASE)) | (damping[active] > 1e12)
        active = active[~finished]
    return State(rotation, rest)


def _damped_step(
    hessian: torch.Tensor, gradient: torch.Tensor, damping: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """The step (B, 6 + K) and the decrease of the cost that the linear model promises (B,)."""
    diagonal = hessian.diagonal(dim1=1, dim2=2)
    # A parameter that no visible landmark feels has a zero row: the floor keeps it where it is.
    floor = 1e-10 * diagonal.amax(dim=1, keepdim=True)
    damped = hessian + torch.diag_embed(damping[:, None] * diagonal + floor * (damping[:, None] + 1e-4))
    delta = -torch.linalg.solve_ex(damped, gradient[..., None])[0].squeeze(-1)
    decrease = -(2 * gradient * delta).sum(1) - (delta * (hessian @ delta[..., None]).squeeze(-1)).sum(1)
    return delta, decrease


def _starts(problem: Problem) -> list[State]:
    """r = 0 with the landmarks' box first, then each yaw of START_YAWS with the best roll, scale and translation."""
    B, K = len(problem.target), len(problem.basis)
    identity = torch.eye(3, dtype=torch.float64, device=problem.mean.device).expand(B, 3, 3)
    states = [State(identity, _rest(*_box_alignment(problem), K))]
    for yaw in START_YAWS:
        turn = problem.mean.new_tensor([0.0, yaw, 0.0])[None]
        model = problem.mean @ axis_angle_to_matrix(turn)[0].T
        roll, scale, translation = _similarity(problem, model[:, :2] * model.new_tensor([1.0, -1.0]))
        about_z = torch.zeros(B, 3, dtype=torch.float64, device=roll.device)
        about_z[:, 2] = -roll
        rotation = axis_angle_to_matrix(about_z) @ axis_angle_to_matrix(turn)
        states.append(State(rotation, _rest(scale, translation, K)))
    return states


def _rest(scale: torch.Tensor, translation: torch.Tensor, K: int) -> torch.Tensor:
    B = len(scale)
    return torch.cat([translation, scale.log()[:, None], translation.new_zeros(B, K)], dim=1)


def _box_alignment(problem: Problem) -> tuple[torch.Tensor, torch.Tensor]:
    """Scale (B,) and translation (B, 2) that lay the mean face's landmark box over the given landmarks' box."""
    used = problem.weight[..., None] > 0
    model = (problem.mean[:, :2] * problem.mean.new_tensor([1.0, -1.0])).expand_as(problem.target)

    def box(points: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        low = torch.where(used, points, math.inf).amin(dim=1)
        high = torch.where(used, points, -math.inf).amax(dim=1)
        return (low + high) / 2, (high - low).sum(dim=1)

    centre, size = box(problem.target)
    model_centre, model_size = box(model)
    scale = size / model_size.clamp_min(1e-9)
    return scale, centre - scale[:, None] * model_centre


def _similarity(problem: Problem, model: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Image roll (B,) in radians, scale (B,) and translation (B, 2) that lay model points (L, 2) on the landmarks."""
    weight = (problem.weight / problem.weight.sum(dim=1, keepdim=True))[..., None]
    model_centre = (weight * model).sum(dim=1)
    centre = (weight * problem.target).sum(dim=1)
    a = torch.view_as_complex((model - model_centre[:, None]).contiguous())
    b = torch.view_as_complex((problem.target - centre[:, None]).contiguous())
    product = (weight[..., 0] * a.conj() * b).sum(dim=1)
    factor = product / (weight[..., 0] * a.abs().square()).sum(dim=1).clamp_min(1e-9)
    scale = factor.abs().clamp_min(1e-9)
    roll = torch.angle(factor)
    turned = torch.view_as_real(torch.polar(scale, roll) * torch.view_as_complex(model_centre.contiguous()))
    return roll, scale, centre - turned
