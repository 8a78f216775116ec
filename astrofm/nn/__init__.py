"""Parts that models are made of. No survey, no paper and no label of its own in here."""
