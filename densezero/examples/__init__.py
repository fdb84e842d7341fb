"""Examples of classes, in place of words or beside them: pictures with a mask, and classifiers fitted to patches."""
