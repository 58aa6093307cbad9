"""The paper's claims and Table 1, the evidence for each claim, and the verdicts."""
