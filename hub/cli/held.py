"""`unbind-hub operator held|release-held|drop-held`: events over a limit, and the person who decides on them."""
