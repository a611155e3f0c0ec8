"""Results: scored, written down, and put on one page."""

from tutelage.report.ship import Fitted, evaluate_test, ship

__all__ = ["Fitted", "evaluate_test", "ship"]
