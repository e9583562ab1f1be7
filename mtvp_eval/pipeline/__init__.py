"""The whole flow: a region's question and its extracts in, an evaluation out."""

from mtvp_eval.pipeline.evaluate import Evaluation, run_evaluation

__all__ = ["Evaluation", "run_evaluation"]
