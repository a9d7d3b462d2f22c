"""What whoever runs the platform for many towns sees and does: counts and use of all tenants, terms, consents."""
