"""What the processes of a run do that process 0 leads: they build what it builds, and take their part."""

from barriers.arrays import torch
from lem_safe.processes.group import Group
from lem_safe.progress import Silent
from lem_safe.runs.learned_parts import learned
from lem_safe.runs.problem import Problem, build
from lem_safe.runs.spreading import attended
from lem_safe.runs.spreading_clouds import clouds_attended


def serve(group: Group) -> int:
    """Does what process 0 says until it says how the run has ended: the exit status. Raises what `build` and
    a step raise, and JobEnded where another process has failed.
    """
    problem: Problem | None = None
    while True:
        match group.hear():
            case "end", status:
                return int(status)
            case "build", scenario, device, threads:
                if threads is not None:
                    torch.set_num_threads(threads)
                problem = build(scenario, device=group.device(device), progress=Silent(), group=group)
            case "train", scenario:
                learned(scenario, Silent(), group)
            case "cloud", piece:
                assert problem is not None, "what is sampled is built first"
                attended(problem, piece)
            case "clouds", piece:
                assert problem is not None, "what is sampled is built first"
                clouds_attended(problem, piece)
