"""StarCLR (Ding, Chen et al. 2026, arXiv:2604.24516) in astrofm's parts."""
