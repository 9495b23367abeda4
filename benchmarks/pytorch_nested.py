"""One Adam step of Burgers' equation in PyTorch, by nested automatic differentiation (eager).

The counterpart of the first line of `cargo bench --bench step`: 50 hidden layers of 64, tanh, 2,000 interior points and
the condition points of problems/burgers.toml, f32.
Usage: python pytorch_nested.py [depth width points dtype]   (needs torch; prints minimum and median milliseconds)
"""

import statistics
import sys
import time

import torch

depth, width, points = (int(x) for x in (sys.argv[1:4] or (50, 64, 2000)))
dtype = torch.float64 if sys.argv[4:] == ["f64"] else torch.float32
torch.set_default_dtype(dtype)
torch.set_flush_denormal(True)
torch.manual_seed(0)

nu = 0.01 / torch.pi
sizes = [2] + [width] * depth + [1]
layers = []
for inputs, outputs in zip(sizes, sizes[1:]):
    layer = torch.nn.Linear(inputs, outputs)
    torch.nn.init.xavier_normal_(layer.weight)
    torch.nn.init.zeros_(layer.bias)
    layers += [layer, torch.nn.Tanh()]
net = torch.nn.Sequential(*layers[:-1])
optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)

x = (torch.rand(points, 1) * 2 - 1).requires_grad_()
t = torch.rand(points, 1).requires_grad_()
initial = torch.cat([torch.rand(200, 1) * 2 - 1, -torch.ones(200, 1)], 1)
left = torch.cat([-torch.ones(100, 1), torch.rand(100, 1) * 2 - 1], 1)
right = torch.cat([torch.ones(100, 1), torch.rand(100, 1) * 2 - 1], 1)


def grad(y, z):
    return torch.autograd.grad(y, z, torch.ones_like(y), create_graph=True)[0]


def step():
    optimizer.zero_grad(set_to_none=True)
    u = net(torch.cat([x, 2 * t - 1], 1))
    u_x, u_t = torch.autograd.grad(u, (x, t), torch.ones_like(u), create_graph=True)
    u_xx = grad(u_x, x)
    loss = (u_t + u * u_x - nu * u_xx).square().mean()
    loss = loss + (net(initial) + torch.sin(torch.pi * initial[:, :1])).square().mean()
    loss = loss + net(left).square().mean() + net(right).square().mean()
    loss.backward()
    optimizer.step()
    return loss


times = []
for i in range(45):
    start = time.perf_counter()
    step()
    if i >= 5:
        times.append(1e3 * (time.perf_counter() - start))
print(
    f"PyTorch {torch.__version__}, {torch.get_num_threads()} threads, {depth}x{width}, {points} points, "
    f"{str(dtype)[6:]}: min {min(times):.1f} ms, median {statistics.median(times):.1f} ms"
)
