"""Payment codes: write, read, draw, scan, sign and check them, without any network.

>>> from tael import qr
>>> qr.describe("https://example.com")["accepted"]
False
"""

from tael.qr.amounts import compute_percentage_fee
from tael.qr.ber import BerObject
from tael.qr.cpm import ConsumerCode, ConsumerData, read_consumer, write_consumer
from tael.qr.findings import CodeWarning
from tael.qr.image import read_image, read_images, to_png, to_svg, to_terminal, write_image
from tael.qr.model import (
    PROMPT,
    AdditionalData,
    FixedFee,
    Initiation,
    LanguageTemplate,
    MerchantCode,
    PercentageFee,
    PromptedTip,
    Template,
    Tip,
)
from tael.qr.mpm import read, write
from tael.qr.names import (
    compute_name_hash,
    compute_skeleton,
    escape,
    escape_html,
    find_look_alike,
    find_name_danger,
)
from tael.qr.recognition import PaymentCode, describe, recognize
from tael.qr.schemes import SCHEMES, Scheme, recognize_schemes
from tael.qr.signing import MerchantSigner, TypedDataSigner, sign
from tael.qr.tael_templates import TaelPayload, read_templates
from tael.qr.tlv import DataObject, compute_crc
from tael.qr.unionpay import (
    ConsumerBarcode,
    UnionPayAccount,
    UnionPayLink,
    decode_account,
    encode_account,
)
from tael.qr.verifying import MerchantEntry, VerifiedCode, verify
from tael.typed_data import DYNAMIC_CODE_TYPE, STATIC_CODE_TYPE

__all__ = [
    # merchant-presented codes
    "read",
    "write",
    "MerchantCode",
    "DataObject",
    "Template",
    "Initiation",
    "AdditionalData",
    "LanguageTemplate",
    "Tip",
    "PromptedTip",
    "FixedFee",
    "PercentageFee",
    "PROMPT",
    "CodeWarning",
    "compute_crc",
    "compute_percentage_fee",
    # consumer-presented codes
    "read_consumer",
    "write_consumer",
    "ConsumerCode",
    "ConsumerData",
    "BerObject",
    # any code
    "recognize",
    "describe",
    "PaymentCode",
    "recognize_schemes",
    "SCHEMES",
    "Scheme",
    # UnionPay
    "UnionPayAccount",
    "UnionPayLink",
    "ConsumerBarcode",
    "decode_account",
    "encode_account",
    # Tael's signed codes
    "sign",
    "verify",
    "MerchantEntry",
    "MerchantSigner",
    "TypedDataSigner",
    "VerifiedCode",
    "TaelPayload",
    "read_templates",
    "DYNAMIC_CODE_TYPE",
    "STATIC_CODE_TYPE",
    # images
    "read_image",
    "read_images",
    "write_image",
    "to_png",
    "to_svg",
    "to_terminal",
    # names
    "compute_name_hash",
    "compute_skeleton",
    "find_look_alike",
    "find_name_danger",
    "escape",
    "escape_html",
]
