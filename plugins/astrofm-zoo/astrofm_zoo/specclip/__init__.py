"""SpecCLIP (Zhao et al. 2025, arXiv:2507.01939) in astrofm's parts."""
