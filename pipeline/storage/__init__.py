"""All writes but the ledger's: models, jobs, images, outcomes, and their deletion."""
