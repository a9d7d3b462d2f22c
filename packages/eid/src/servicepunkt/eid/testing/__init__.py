"""Public fakes for who builds on the eID: what stands in a shop or in a pocket, without either."""
