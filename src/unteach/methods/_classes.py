"""Import all method classes by name, for editors only; at run time they are found by file."""

from unteach.methods.altpo import AltPO
from unteach.methods.ascent import Ascent
from unteach.methods.ce_u import CEU
from unteach.methods.dpo import DPO
from unteach.methods.dto import DTO
from unteach.methods.etw import ETW
from unteach.methods.graddiff import GradDiff
from unteach.methods.idk import Idk
from unteach.methods.idk_dpo import IdkDPO
from unteach.methods.jensun import JensUn
from unteach.methods.kl_min import KLMin
from unteach.methods.loku import LoKU
from unteach.methods.masc import MASC
from unteach.methods.npo import NPO
from unteach.methods.palu import PALU
from unteach.methods.pdu import PDU
from unteach.methods.retrain import Retrain
from unteach.methods.rmu import RMU
from unteach.methods.satimp import SatImp
from unteach.methods.simnpo import SimNPO
from unteach.methods.task_vector import TaskVector
from unteach.methods.undial import UnDIAL
from unteach.methods.unilogit import Unilogit
from unteach.methods.unseen import Unseen
from unteach.methods.wga import WGA
from unteach.methods.whp import WHP

__all__ = [
    "CEU",
    "DPO",
    "DTO",
    "ETW",
    "MASC",
    "NPO",
    "PALU",
    "PDU",
    "RMU",
    "WGA",
    "WHP",
    "AltPO",
    "Ascent",
    "GradDiff",
    "Idk",
    "IdkDPO",
    "JensUn",
    "KLMin",
    "LoKU",
    "Retrain",
    "SatImp",
    "SimNPO",
    "TaskVector",
    "UnDIAL",
    "Unilogit",
    "Unseen",
]
