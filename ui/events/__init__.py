"""From a press to its answer: queues, requests, and what comes while a run goes on."""
