"""One torch thread a test process, and shapes checked in every call of the two packages."""

import torch

torch.set_num_threads(1)
