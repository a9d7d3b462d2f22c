"""Pages that a computer at a point serves itself, beside the terminal: a document box's, a card reader's."""
