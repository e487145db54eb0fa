"""BertViz' model view of a text as a page: bertviz_page.py MODEL TEXT_FILE OUT"""
import sys

import torch
from bertviz import model_view
from transformers import AutoModelForCausalLM, AutoTokenizer

model_dir, text_file, out = sys.argv[1:]
tokenizer = AutoTokenizer.from_pretrained(model_dir)
model = AutoModelForCausalLM.from_pretrained(model_dir, attn_implementation="eager").eval()
ids = tokenizer(open(text_file, encoding="utf-8").read(), return_tensors="pt").input_ids
with torch.no_grad():
    attention = model(ids, output_attentions=True).attentions
page = model_view(attention, tokenizer.convert_ids_to_tokens(ids[0]), html_action="return")
with open(out, "w", encoding="utf-8") as file:
    file.write(page.data)
