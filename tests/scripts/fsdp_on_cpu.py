"""`distill.training.parent` with FSDP on CPU processes, which accelerate offers to accelerators only.

    accelerate launch --config_file fsdp.yaml --num_processes 2 fsdp_on_cpu.py JOBS.json

accelerate drops FSDP where its processes are of the kind MULTI_CPU; torch itself shards over gloo. So the
kind is renamed before the trainer asks, and nothing else is changed. Prints to standard output, per job and
process, how many weights a training held as shards.
"""

import sys
from typing import Any

from accelerate.state import PartialState
from accelerate.utils import DistributedType
from torch.distributed.tensor import DTensor
from transformers import Trainer

import distill.training.parent

begin = PartialState.__init__
prepare = Trainer._prepare_for_training


def begin_as_gpu(self: PartialState, cpu: bool = False, **options: Any) -> None:
    begin(self, cpu, **options)
    if self.distributed_type == DistributedType.MULTI_CPU:
        self.distributed_type = DistributedType.MULTI_GPU


def count_shards(self: Trainer, *given: Any) -> Any:
    prepared = prepare(self, *given)
    parameters = list(self.model.parameters())
    sharded = sum(isinstance(each, DTensor) for each in parameters)
    print(f"sharded {sharded} of {len(parameters)}", flush=True)
    return prepared


PartialState.__init__ = begin_as_gpu
Trainer._prepare_for_training = count_shards
sys.exit(distill.training.parent.main(sys.argv[1:]))
