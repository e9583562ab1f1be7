"""Estimators: panel, design and estimands in, `EffectEstimates` out; one method, one file, one paper."""
