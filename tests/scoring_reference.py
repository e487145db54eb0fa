"""What scoring gives, from its definitions alone and with transformers; imported by the scripts beside it."""
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

torch.set_grad_enabled(False)
# Texts of one length that go through the model together.
TOGETHER = 32


class Reference:
    def __init__(self, folder):
        self.model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.bos = self.model.config.bos_token_id
        self.context = self.model.config.n_positions

    def encode(self, text):
        return self.tokenizer.encode(text, add_special_tokens=False)

    def log_softmax(self, ids):
        """[position, vocab], in nats and double precision."""
        return self.model(torch.tensor([ids])).logits[0].double().log_softmax(-1)

    def log_p(self, ids):
        """ln p of each token but the first: [len(ids) - 1]."""
        if len(ids) < 2:
            return torch.zeros(0, dtype=torch.double)
        return self.log_softmax(ids[:-1]).gather(-1, torch.tensor(ids[1:])[:, None])[:, 0]

    def log_p_of_all(self, texts):
        """The same of many, those of one length together: no padding stands between definition and number."""
        found, lengths = [torch.zeros(0, dtype=torch.double)] * len(texts), {}
        for at, ids in enumerate(texts):
            lengths.setdefault(len(ids), []).append(at)
        for length, members in lengths.items():
            for start in range(0, len(members) if length > 1 else 0, TOGETHER):
                some = members[start : start + TOGETHER]
                ids = torch.tensor([texts[at] for at in some])
                log_p = self.model(ids[:, :-1]).logits.double().log_softmax(-1)
                for at, own in zip(some, log_p.gather(-1, ids[:, 1:, None])[:, :, 0]):
                    found[at] = own
        return found

    def sliding(self, ids, window, stride):
        """-ln p of every token but the first, each in the first window that has something before it; and the number of windows."""
        found, scored, begin, windows = [], 1, 0, 0
        while scored < len(ids):
            end = min(begin + window, len(ids))
            stop = min(end + 1, len(ids)) if stride == window else end
            log_p = self.log_softmax(ids[begin:end])
            found += [-log_p[at - 1 - begin, ids[at]].item() for at in range(scored, stop)]
            scored, begin, windows = stop, begin + stride, windows + 1
        return found, windows

    def pairs(self, pairs, convention):
        """The two scores of each of many minimal pairs."""
        begin = [] if convention == "minicons" else [self.bos]
        log_p = self.log_p_of_all([begin + self.encode(text) for pair in pairs for text in pair])
        scores = [(own.sum() if convention == "lm-eval" else own.mean()).item() for own in log_p]
        return list(zip(scores[::2], scores[1::2]))

    def pair(self, good, bad, convention):
        """The two scores of a minimal pair."""
        return self.pairs([(good, bad)], convention)[0]
