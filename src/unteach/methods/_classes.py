"""Import all method classes by name, for editors only; at run time they are found by file."""

from unteach.methods.altpo import AltPO as AltPO
from unteach.methods.ascent import Ascent as Ascent
from unteach.methods.ce_u import CEU as CEU
from unteach.methods.dpo import DPO as DPO
from unteach.methods.dto import DTO as DTO
from unteach.methods.etw import ETW as ETW
from unteach.methods.graddiff import GradDiff as GradDiff
from unteach.methods.idk import Idk as Idk
from unteach.methods.idk_dpo import IdkDPO as IdkDPO
from unteach.methods.jensun import JensUn as JensUn
from unteach.methods.kl_min import KLMin as KLMin
from unteach.methods.loku import LoKU as LoKU
from unteach.methods.masc import MASC as MASC
from unteach.methods.npo import NPO as NPO
from unteach.methods.palu import PALU as PALU
from unteach.methods.pdu import PDU as PDU
from unteach.methods.retrain import Retrain as Retrain
from unteach.methods.rmu import RMU as RMU
from unteach.methods.satimp import SatImp as SatImp
from unteach.methods.simnpo import SimNPO as SimNPO
from unteach.methods.task_vector import TaskVector as TaskVector
from unteach.methods.undial import UnDIAL as UnDIAL
from unteach.methods.unilogit import Unilogit as Unilogit
from unteach.methods.unseen import Unseen as Unseen
from unteach.methods.wga import WGA as WGA
from unteach.methods.whp import WHP as WHP
