"""One scenario under several filters, beside the exact projection."""
