"""The local team stack: servers, worker, dispatcher and review site of one data folder, started and kept healthy."""
