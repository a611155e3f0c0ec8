"""Results: scored, written down, and put on one page."""

from tutelage.report.advice import Advised, tell_advice
from tutelage.report.ship import Fitted, evaluate_test, ship

__all__ = ["Advised", "Fitted", "evaluate_test", "ship", "tell_advice"]
