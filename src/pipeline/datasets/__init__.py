"""Named tables with a content hash, the contract they keep, and the judgement whether they are enough."""
