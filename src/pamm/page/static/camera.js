// A photo from the camera: in the page where the browser allows it, else through the phone's own camera.

/** @param part finds an element by its id, @param found is called with the photo, @param failed with an Error */
export function useCamera(part, found, failed) {
  const dialog = part("camera");
  const video = part("video");
  const shutter = part("shutter");
  let stream = null;
  let opening = false;

  async function open() {
    if (!navigator.mediaDevices) {
      // browsers give the camera to secure pages alone, which this is on its own machine
      part("shot").click();
      return;
    }
    if (opening || dialog.open) return;
    opening = true;
    try {
      stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment", width: { ideal: 1920 } } });
    } catch {
      failed(new Error("The camera cannot be used: there is none, or this page may not use it. Choose a photo instead."));
      return;
    } finally {
      opening = false;
    }
    shutter.disabled = true;
    video.srcObject = stream;
    dialog.showModal();
  }

  function shoot() {
    const picture = document.createElement("canvas");
    [picture.width, picture.height] = [video.videoWidth, video.videoHeight];
    picture.getContext("2d").drawImage(video, 0, 0);
    dialog.close();
    picture.toBlob((blob) => blob && found(new File([blob], "camera.jpg", { type: blob.type })), "image/jpeg", 0.92);
  }

  part("take").addEventListener("click", open);
  video.addEventListener("loadeddata", () => (shutter.disabled = false));
  shutter.addEventListener("click", shoot);
  part("camera-close").addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => stream?.getTracks().forEach((track) => track.stop()));
}
