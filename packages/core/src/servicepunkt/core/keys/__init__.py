"""Data keys: personal data under a key of its case, that under the tenant's, that under the deployment's."""
