"""This room holds the folds that several programs share: cases, held events, roster, reports, acknowledgements."""
