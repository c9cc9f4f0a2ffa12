// Compiles the bodies of resource once for those who link the library.
#include "librm/resource/impl/attributes.ipp"
#include "librm/resource/impl/constraint.ipp"
#include "librm/resource/impl/fits.ipp"
#include "librm/resource/impl/operation.ipp"
#include "librm/resource/impl/print.ipp"
#include "librm/resource/impl/request.ipp"
#include "librm/resource/impl/reservation.ipp"
#include "librm/resource/impl/resources.ipp"
