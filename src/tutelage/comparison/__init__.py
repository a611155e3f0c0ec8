"""Was it worth it: a fit against training from scratch and against the other modes, on the same split."""

from tutelage.comparison.story import compare_run, resume_comparison

__all__ = ["compare_run", "resume_comparison"]
