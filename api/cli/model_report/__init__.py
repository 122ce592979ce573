"""``xinqiao model report``: the model card and the evaluation report, in both languages, as HTML and as PDF.

`subject` says what is judged, on which rows; `card` and `sheets` turn numbers into words and tables; `write` draws
and prints. Nothing written here may read as if simulated or foreign rows told something about children of ours.
"""
