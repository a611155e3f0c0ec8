"""How good a student is: the task, its metrics, calibration and fair comparison."""
