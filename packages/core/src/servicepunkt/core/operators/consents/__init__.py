"""A city lets the operator of the platform look at its pages for some hours, and takes that back when it likes."""
