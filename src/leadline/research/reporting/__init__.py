"""Reports: put together from draft and verdicts, in each form that they take, and kept for checks elsewhere."""
