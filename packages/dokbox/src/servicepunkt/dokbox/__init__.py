"""The document box: lock boards and buses, pick-up codes and the hand-over of documents."""
