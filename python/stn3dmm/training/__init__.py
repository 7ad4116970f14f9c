"""The training of localisers: `train`, its configuration, its checkpoints. docs/training.md."""

from .checkpoint import Checkpoint, load_checkpoint
from .config import TrainConfig, read_config, write_config
from .log import read_log
from .loop import train, training_step
from .record import Progress

__all__ = [
    "Checkpoint",
    "Progress",
    "TrainConfig",
    "load_checkpoint",
    "read_config",
    "read_log",
    "train",
    "training_step",
    "write_config",
]
